import { addressOf } from './api.ts';
import { ApiProblem, isProblem } from './problem.ts';

/**
 * Sends a file with its name, as the field `file` of a form, telling how much of it is there: 0 to 1. `fetch` does not tell
 * that of what it sends.
 * @throws ApiProblem as `api` does; DOMException AbortError when the signal ended it
 */
export function upload<Reply>(
  path: string,
  file: File,
  { onprogress, signal }: { onprogress: (share: number) => void; signal?: AbortSignal },
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', addressOf(path));
    request.setRequestHeader('accept', 'application/json, application/problem+json');
    request.upload.onprogress = ({ loaded, total }) => onprogress(total > 0 ? loaded / total : 0);
    request.onload = () => {
      const value = parsed(request.responseText);
      if (request.status >= 200 && request.status < 300 && value !== undefined) resolve(value as Reply);
      else if (isProblem(value)) reject(new ApiProblem(value));
      else reject(new ApiProblem({ code: 'unreadable', status: request.status, detail: request.statusText }));
    };
    request.onerror = () => reject(new ApiProblem({ code: 'network', status: 0, detail: 'No connection' }));
    request.onabort = () => reject(new DOMException('The upload was ended', 'AbortError'));
    signal?.addEventListener('abort', () => request.abort(), { once: true });
    const form = new FormData();
    form.append('file', file);
    request.send(form);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
