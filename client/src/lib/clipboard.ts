/**
 * Copies a text. On plain http, which a home network often is, browsers have no clipboard for scripts; there what is
 * selected on the page is copied, so a field that holds the text should be selected before.
 * @returns false when the browser allows neither.
 */
export async function copyText(text: string, selectable?: HTMLInputElement | HTMLTextAreaElement): Promise<boolean> {
  try {
    if (navigator.clipboard) {
      await navigator.clipboard.writeText(text);
      return true;
    }
  } catch (error) {
    console.debug('clipboard', error);
  }
  selectable?.select();
  return selectable !== undefined && document.execCommand('copy');
}
