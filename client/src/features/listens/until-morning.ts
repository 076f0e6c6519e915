const MINUTE_MS = 60_000;
/** "Until tomorrow" ends at this hour of the morning. */
const MORNING = 6;

/** Minutes from now until six tomorrow morning, by the clock of this device. */
export function minutesUntilMorning(now: Date): number {
  const morning = new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1, MORNING);
  return Math.ceil((morning.getTime() - now.getTime()) / MINUTE_MS);
}
