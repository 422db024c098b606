/** One scan as the server tells it: events over the page's socket, everything asked for over REST. */
import type { Incoming, Link, LinkEvent, Outgoing } from "../wire";
import type { Rest } from "./rest";

export class ServerLink implements Link {
  readonly peer = "server";
  private readonly listeners = new Set<(event: LinkEvent) => void>();

  constructor(
    private readonly scan: string,
    private readonly rest: Rest,
    private readonly hello: (since?: number) => void,
  ) {}

  subscribe(fn: (event: LinkEvent) => void): () => void {
    this.listeners.add(fn);
    return () => this.listeners.delete(fn);
  }

  give(event: LinkEvent): void {
    for (const listener of [...this.listeners]) listener(event);
  }

  send(message: Outgoing): void {
    if (message.type === "hello") this.hello(message.since);
    else void this.ask(message);
  }

  private async ask(message: Exclude<Outgoing, { type: "hello" }>): Promise<void> {
    const refused = ({ message: text }: Error): LinkEvent =>
      message.type === "command"
        ? { type: "said", text }
        : { type: "refused", what: message.type, variant: message.variant, text };
    this.give(await this.answer(message).catch(refused));
  }

  private answer(message: Exclude<Outgoing, { type: "hello" }>): Promise<Incoming> {
    if (message.type === "command") {
      const { action, variants, trials } = message;
      return this.rest.post(["scans", this.scan, "commands"], { action, variants, trials });
    }
    const job = ["scans", this.scan, "jobs", message.variant];
    if (message.type === "job") return this.rest.get(job);
    if (message.type === "metrics") return this.rest.get([...job, "metrics"]);
    const { start } = message;
    return this.rest.get([...job, "log"], start === undefined ? {} : { start });
  }
}
