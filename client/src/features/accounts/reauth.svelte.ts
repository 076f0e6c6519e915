import { onReauthRequired } from '../../lib/api.ts';

/** Whether something was refused until the person says again who they are. */
class Reauth {
  isNeeded = $state(false);
}

export const reauth = new Reauth();
onReauthRequired(() => (reauth.isNeeded = true));
