/** A call that came with an `Idempotency-Key`, and what became of it. */
export interface KeptAnswersTable {
  user_id: string;
  idempotency_key: string;
  /** SHA-256 of what was asked. */
  request_hash: string;
  /** `running`: nothing is changed yet · `changed`: what it does is stored, its answer is not · `done`. */
  state: 'running' | 'changed' | 'done';
  /** Which process runs it. */
  run_id: string;
  status: number | null;
  /** As it was sent; null for 204, and where the answer shows a secret that is kept nowhere. */
  body: string | null;
  created_at: number;
}

export interface AnswersTables {
  kept_answers: KeptAnswersTable;
}
