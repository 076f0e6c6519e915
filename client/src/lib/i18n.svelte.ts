import { en } from './messages/en.ts';

export type Messages = typeof en;
export type Locale = 'en' | 'de';

/** The nearest language we have to a list the browser prefers. */
export function nearestLocale(preferred: readonly string[]): Locale {
  for (const tag of preferred) {
    const language = tag.toLowerCase().split('-')[0];
    if (language === 'en' || language === 'de') return language;
  }
  return 'en';
}

/** The texts of the chosen language; English is always there, others are fetched when asked for. */
class I18n {
  #locale = $state<Locale>('en');
  #messages = $state.raw<Messages>(en);

  /** Texts by section: `i18n.m.player.play`. */
  get m(): Messages {
    return this.#messages;
  }
  get locale(): Locale {
    return this.#locale;
  }

  /** Switches the language; `system` follows the browser. */
  async use(language: 'system' | Locale): Promise<void> {
    const locale = language === 'system' ? nearestLocale(navigator.languages) : language;
    if (locale !== this.#locale) {
      this.#messages = locale === 'de' ? (await import('./messages/de.ts')).de : en;
      this.#locale = locale;
    }
    document.documentElement.lang = locale;
  }
}

export const i18n = new I18n();
