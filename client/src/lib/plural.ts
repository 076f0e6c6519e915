/** The form of a text that fits a number in a language; `other` stands in for forms not given. */
export function plural(locale: string, n: number, forms: { one: string; other: string }): string {
  const form = new Intl.PluralRules(locale).select(n) === 'one' ? forms.one : forms.other;
  return form.replace('#', new Intl.NumberFormat(locale).format(n));
}
