import { api } from '../../lib/api.ts';
import type { JobRow } from '#contract/jobs.ts';

/** A field as RFC 4180 has it; what a spreadsheet would take for a formula is made text. */
function field(value: string): string {
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Rows as a CSV file, with a heading. */
export function csvOf(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  return [heading, ...rows].map((row) => row.map(field).join(',')).join('\r\n') + '\r\n';
}

/** Every row of a job something is to be said of, page by page. @throws ApiProblem */
export async function allRows(job_id: string, reason: string, signal: AbortSignal): Promise<JobRow[]> {
  const rows: JobRow[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const page: { items: JobRow[]; next_cursor: string | null } = await api.get(
      `/jobs/${job_id}/rows`,
      { limit: 200, reason, cursor },
      { signal },
    );
    rows.push(...page.items);
    cursor = page.next_cursor;
  }
  return rows;
}
