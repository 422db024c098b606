/** The link to one scan on the server: its events come by the socket, answers by REST. */
import type { Incoming, Link, LinkEvent, Outgoing } from "../wire";
import type { Rest } from "./rest";

/** Sends requests for one scan, and hands events and answers to its listeners. */
export class ServerLink implements Link {
  readonly peer = "server";
  private readonly listeners = new Set<(event: LinkEvent) => void>();

  constructor(
    private readonly scan: string,
    private readonly rest: Rest,
    private readonly hello: (since?: number) => void,
  ) {}

  subscribe(listener: (event: LinkEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Hands an event to all who listen. */
  give(event: LinkEvent): void {
    for (const listener of [...this.listeners]) listener(event);
  }

  send(message: Outgoing): void {
    if (message.type === "hello") this.hello(message.since);
    else void this.ask(message);
  }

  private async ask(message: Exclude<Outgoing, { type: "hello" }>): Promise<void> {
    const refused = ({ message: text }: Error): LinkEvent => {
      // A refused command is told to the user; other refusals are for the view that asked.
      if (message.type === "command") return { type: "said", text };
      return { type: "refused", what: message.type, variant: message.variant, text };
    };
    this.give(await this.answer(message).catch(refused));
  }

  private answer(message: Exclude<Outgoing, { type: "hello" }>): Promise<Incoming> {
    if (message.type === "command") {
      const { action, variants, trials, accept } = message;
      const body = { action, variants, trials, accept };
      return this.rest.post(["scans", this.scan, "commands"], body);
    }
    const job = ["scans", this.scan, "jobs", message.variant];
    if (message.type === "job") return this.rest.get(job);
    if (message.type === "metrics") return this.rest.get([...job, "metrics"]);
    const { start } = message;
    return this.rest.get([...job, "log"], start === undefined ? {} : { start });
  }
}
