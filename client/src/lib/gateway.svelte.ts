import { io } from 'socket.io-client';
import { ApiProblem, isProblem } from './problem.ts';
import { clock } from './clock.svelte.ts';
import type {
  Ack,
  ClientToServerEvents,
  NoticeName,
  NoticePayload,
  RequestName,
  RequestPayload,
  RequestReply,
  ServerToClientEvents,
} from '#contract/gateway.ts';
import type { Socket } from 'socket.io-client';

/** `idle` before sign-in and after sign-out; `ended` when the server closed the session for good. */
export type ConnectionState = 'idle' | 'connecting' | 'live' | 'reconnecting' | 'offline' | 'ended';
export type EndReason = NoticePayload<'session:ended'>['reason'];

const ACK_TIMEOUT_MS = 8_000;
/** A short break is not worth a word (design brief §5). */
const QUIET_MS = 2_000;
/** After this long without a line it is called offline. */
const OFFLINE_MS = 20_000;
const CLOCK_EXCHANGES = 4;
const BACK_MS = 3_000;

type Loose = {
  emit(name: string, payload: unknown, ack: (answer: Ack<unknown>) => void): void;
  on(name: string, handler: (payload: never) => void): void;
  off(name: string, handler: (payload: never) => void): void;
};

/** The one Socket.IO connection: typed requests with acknowledgement, typed notices, and how the line is. */
export class Gateway {
  #state = $state<ConnectionState>('idle');
  #reason = $state<EndReason | null>(null);
  /** True once a break has lasted long enough to be told. */
  #noticeable = $state(false);
  /** True for three seconds after a noticeable break is over. */
  #back = $state(false);
  #socket: Socket<ServerToClientEvents, ClientToServerEvents> | null = null;
  #handlers: { name: string; handler: (payload: never) => void }[] = [];
  #onlive: (() => void)[] = [];
  #ondown: (() => void)[] = [];
  #timers: ReturnType<typeof setTimeout>[] = [];

  get state(): ConnectionState {
    return this.#state;
  }
  get reason(): EndReason | null {
    return this.#reason;
  }
  get noticeable(): boolean {
    return this.#noticeable;
  }
  get back(): boolean {
    return this.#back;
  }

  /** Opens the line; doing it twice is doing it once. */
  connect(): void {
    if (this.#socket) {
      if (this.#state === 'ended' || this.#state === 'idle') this.#begin(this.#socket);
      return;
    }
    const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io({
      transports: ['websocket'],
      path: '/socket.io',
      autoConnect: false,
      reconnectionDelay: 400,
      reconnectionDelayMax: 8_000,
    });
    this.#socket = socket;
    for (const { name, handler } of this.#handlers) (socket as unknown as Loose).on(name, handler);
    socket.on('connect', () => this.#live());
    socket.on('session:ended', ({ reason }) => this.#ended(reason));
    socket.on('disconnect', (why) => {
      for (const handler of this.#ondown) handler();
      if (this.#state === 'ended' || this.#state === 'idle') return;
      this.#broken();
      // The library does not come back by itself when the server ended the line.
      if (why === 'io server disconnect') this.#timers.push(setTimeout(() => socket.connect(), 1_000));
    });
    socket.on('connect_error', (error) => {
      const data = (error as Error & { data?: unknown }).data;
      if (isProblem(data) && data.status === 401) {
        this.#ended('expired');
        return;
      }
      if (isProblem(data) && data.status === 403) {
        this.#ended('disabled');
        return;
      }
      if (this.#state !== 'ended' && this.#state !== 'idle') this.#broken();
      // A refused handshake is not retried by the library; an unreachable server is.
      if (!socket.active) this.#timers.push(setTimeout(() => socket.connect(), 3_000));
    });
    addEventListener('online', () => {
      if (this.#state === 'reconnecting' || this.#state === 'offline') socket.connect();
    });
    this.#begin(socket);
  }

  /** Closes the line for good, as at sign-out. */
  disconnect(): void {
    this.#state = 'idle';
    this.#calm();
    this.#socket?.disconnect();
  }

  /**
   * Sends one request and waits until its effect is durable.
   * @throws ApiProblem with the server's problem, or code `timeout` or `network` when it may be sent again.
   */
  async request<N extends RequestName>(
    name: N,
    payload: RequestPayload<N>,
    timeout_ms = ACK_TIMEOUT_MS,
  ): Promise<RequestReply<N>> {
    const socket = this.#socket;
    if (!socket?.connected) throw new ApiProblem({ code: 'network', status: 0, detail: 'No connection' });
    const answer = await new Promise<Ack<unknown>>((resolve, reject) => {
      const fail = (code: 'timeout' | 'network') => {
        clearTimeout(timer);
        socket.off('disconnect', onBreak);
        reject(new ApiProblem({ code, status: 0, detail: code === 'timeout' ? 'No answer in time' : 'No connection' }));
      };
      const onBreak = () => fail('network');
      const timer = setTimeout(() => fail('timeout'), timeout_ms);
      socket.on('disconnect', onBreak);
      (socket as unknown as Loose).emit(name, payload, (value) => {
        clearTimeout(timer);
        socket.off('disconnect', onBreak);
        resolve(value);
      });
    });
    if (!answer.ok) throw new ApiProblem(answer.problem);
    return answer.data as RequestReply<N>;
  }

  /** Listens to a notice; works before `connect`. @returns the way to stop. */
  on<N extends NoticeName>(name: N, handler: (payload: NoticePayload<N>) => void): () => void {
    const entry = { name, handler: handler as (payload: never) => void };
    this.#handlers.push(entry);
    (this.#socket as unknown as Loose | null)?.on(name, entry.handler);
    return () => {
      this.#handlers = this.#handlers.filter((one) => one !== entry);
      (this.#socket as unknown as Loose | null)?.off(name, entry.handler);
    };
  }

  /** Calls back each time the line is (again) live, and at once if it is. @returns the way to stop. */
  onLive(handler: () => void): () => void {
    this.#onlive.push(handler);
    if (this.#state === 'live') handler();
    return () => {
      this.#onlive = this.#onlive.filter((one) => one !== handler);
    };
  }

  /** Calls back each time the line is lost. @returns the way to stop. */
  onDown(handler: () => void): () => void {
    this.#ondown.push(handler);
    return () => {
      this.#ondown = this.#ondown.filter((one) => one !== handler);
    };
  }

  #begin(socket: Socket<ServerToClientEvents, ClientToServerEvents>): void {
    this.#reason = null;
    this.#state = 'connecting';
    // A first connection that does not come is worth the same word as a broken one.
    this.#watch();
    socket.connect();
  }

  #live(): void {
    const wasNoticed = this.#noticeable;
    this.#state = 'live';
    this.#calm();
    if (wasNoticed) {
      this.#back = true;
      this.#timers.push(setTimeout(() => (this.#back = false), BACK_MS));
    }
    clock.restart();
    void this.#measureClock();
    for (const handler of this.#onlive) handler();
  }

  #broken(): void {
    if (this.#state === 'live' || this.#state === 'connecting') {
      this.#state = 'reconnecting';
      this.#watch();
    }
  }

  #watch(): void {
    this.#calm();
    this.#timers.push(setTimeout(() => (this.#noticeable = true), QUIET_MS));
    this.#timers.push(
      setTimeout(() => {
        if (this.#state === 'reconnecting' || this.#state === 'connecting') this.#state = 'offline';
      }, OFFLINE_MS),
    );
  }

  #ended(reason: EndReason): void {
    this.#calm();
    // A restart is told so that people know why; the line comes back by itself.
    if (reason === 'restart') {
      this.#reason = reason;
      this.#broken();
      return;
    }
    this.#state = 'ended';
    this.#reason = reason;
    this.#socket?.disconnect();
  }

  #calm(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers = [];
    this.#noticeable = false;
    this.#back = false;
  }

  async #measureClock(): Promise<void> {
    try {
      for (let i = 0; i < CLOCK_EXCHANGES; i++) {
        const t0_ms = Date.now();
        const { t1_ms, t2_ms } = await this.request('clock:sync', { t0_ms });
        clock.take(t0_ms, t1_ms, t2_ms, Date.now());
      }
    } catch (error) {
      // Positions are then drawn by the local clock, or by the offset measured before.
      console.debug('clock exchange', error);
    }
  }
}

export const gateway = new Gateway();
