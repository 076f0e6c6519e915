/** Acts of administrators and acts on security, in the transaction that did them. */
export interface AuditEventsTable {
  id: string;
  at: number;
  action: string;
  /** Null: the operator at the command line, or somebody who is gone. */
  actor_id: string | null;
  target_id: string | null;
  details_json: string;
}

export interface AdminTables {
  audit_events: AuditEventsTable;
}
