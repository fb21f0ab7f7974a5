/** Messages between the front and a worker: notices, and questions with an answer. Sockets travel with notices. */
import type { ChildProcess } from 'node:child_process';
import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { CodedError, messageOf } from '@acexy/service-kit/primitives';

/** The part of a child process, or of `process` in the child, that carries messages. */
export type ChannelEnd = Pick<EventEmitter, 'on'> & Partial<Pick<ChildProcess, 'send'>>;

/** The other process has ended, or did not answer in time. */
export class ChannelError extends CodedError {
  readonly code = 'no_answer';
}

type Message =
  | { kind: 'notice'; topic: string; body: unknown }
  | { kind: 'question'; topic: string; id: number; body: unknown }
  | { kind: 'answer'; id: number; body: unknown }
  | { kind: 'failure'; id: number; message: string };

type NoticeHandler = (body: never, socket: Socket | undefined) => void;
type QuestionHandler = (body: never) => unknown;

interface PendingQuestion {
  resolve(body: never): void;
  reject(error: Error): void;
}

export interface SocketTransfer {
  keepOpen?: boolean;
  onSent?: () => void;
}

export class Channel {
  private readonly notices = new Map<string, NoticeHandler>();
  private readonly questions = new Map<string, QuestionHandler>();
  private readonly pending = new Map<number, PendingQuestion>();
  private lastId = 0;
  private closed = false;

  /** @param onMessage called for every message: the other process is alive */
  constructor(
    private readonly end: ChannelEnd,
    private readonly onMessage: () => void = () => undefined,
  ) {
    end.on('message', (message: Message, socket: Socket | undefined) => this.take(message, socket));
    end.on('disconnect', () => this.close());
  }

  /** What happens with a notice of the other process. */
  onNotice(topic: string, handler: NoticeHandler): void {
    this.notices.set(topic, handler);
  }

  /** How a question of the other process is answered. */
  onQuestion(topic: string, handler: QuestionHandler): void {
    this.questions.set(topic, handler);
  }

  /** A notice to a process that has ended is dropped. `keepOpen`: the socket stays open in this process too. `onSent` is called in any case. */
  notify(topic: string, body: unknown = null, socket?: Socket, { keepOpen = false, onSent = () => undefined }: SocketTransfer = {}): void {
    this.send({ kind: 'notice', topic, body }, onSent, socket, keepOpen);
  }

  /** @throws ChannelError when the other process ends first, or its handler throws */
  ask<T>(topic: string, body: unknown = null): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.lastId += 1;
      const id = this.lastId;
      this.pending.set(id, { resolve, reject });
      this.send({ kind: 'question', topic, id, body }, (error) => {
        if (error !== null) this.settle(id)?.reject(new ChannelError(`the question "${topic}" could not be sent: ${error.message}`));
      });
    });
  }

  /** Every unanswered question fails. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const id of [...this.pending.keys()]) this.settle(id)?.reject(new ChannelError('the other process has ended'));
  }

  private take(message: Message, socket: Socket | undefined): void {
    this.onMessage();
    switch (message.kind) {
      case 'notice':
        this.notices.get(message.topic)?.(message.body as never, socket);
        return;
      case 'question':
        void this.answer(message.id, message.topic, message.body);
        return;
      case 'answer':
        this.settle(message.id)?.resolve(message.body as never);
        return;
      case 'failure':
        this.settle(message.id)?.reject(new ChannelError(message.message));
        return;
      default: {
        const unknown: never = message;
        throw new TypeError(`unknown message: ${JSON.stringify(unknown)}`);
      }
    }
  }

  private async answer(id: number, topic: string, body: unknown): Promise<void> {
    try {
      const handler = this.questions.get(topic);
      if (handler === undefined) throw new TypeError(`no handler for the question "${topic}"`);
      this.send({ kind: 'answer', id, body: (await handler(body as never)) ?? null });
    } catch (error) {
      this.send({ kind: 'failure', id, message: messageOf(error) });
    }
  }

  private settle(id: number): PendingQuestion | undefined {
    const question = this.pending.get(id);
    this.pending.delete(id);
    return question;
  }

  private send(message: Message, done: (error: Error | null) => void = () => undefined, socket?: Socket, keepOpen = false): void {
    if (this.closed || this.end.send === undefined) done(new ChannelError('the other process has ended'));
    else this.end.send(message, socket, { keepOpen }, (error) => done(error ?? null));
  }
}
