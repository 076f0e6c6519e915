export type Urgency = 'polite' | 'assertive';

/** What the app's two live regions say. */
class LiveRegionState {
  #polite = $state('');
  #assertive = $state('');
  #odd = false;

  get polite(): string {
    return this.#polite;
  }
  get assertive(): string {
    return this.#assertive;
  }

  say(text: string, urgency: Urgency): void {
    // The same words twice are read twice only if the text differs: an invisible space alternates.
    this.#odd = !this.#odd;
    const value = this.#odd ? text : `${text}\u00a0`;
    if (urgency === 'assertive') this.#assertive = value;
    else this.#polite = value;
  }
}

export const liveRegion = new LiveRegionState();

/** Tells screen readers something that happened. */
export function announce(text: string, urgency: Urgency = 'polite'): void {
  liveRegion.say(text, urgency);
}
