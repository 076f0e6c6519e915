export interface UserIntegrationsTable {
  id: string;
  user_id: string;
  service_name: string;
  service_user_id: string | null;
  api_token_encrypted: string | null;
  refresh_token_encrypted: string | null;
  enabled: number;
  last_sync: number | null;
  sync_settings_json: string;
  created_at: number;
}

export interface IntegrationsTables {
  user_integrations: UserIntegrationsTable;
}
