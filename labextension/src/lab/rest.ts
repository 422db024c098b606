/** Requests to the server extension; a refusal is an Error with the server's own sentence. */
import { URLExt } from "@jupyterlab/coreutils";
import { ServerConnection } from "@jupyterlab/services";

export class Rest {
  constructor(readonly settings: ServerConnection.ISettings) {}

  get<T>(path: string[], query: Record<string, string | number> = {}): Promise<T> {
    return this.ask<T>(path, query, { method: "GET" });
  }

  post<T>(path: string[], body: unknown): Promise<T> {
    return this.ask<T>(path, {}, { method: "POST", body: JSON.stringify(body) });
  }

  put<T>(path: string[], body: unknown): Promise<T> {
    return this.ask<T>(path, {}, { method: "PUT", body: JSON.stringify(body) });
  }

  /** Where the events come from; the token goes along where the server wants it in the address. */
  socketUrl(): string {
    const { wsUrl, token, appendToken } = this.settings;
    const url = URLExt.join(wsUrl, "gridgpu", "api", "events");
    return appendToken && token ? `${url}?token=${encodeURIComponent(token)}` : url;
  }

  private async ask<T>(
    path: string[],
    query: Record<string, string | number>,
    init: RequestInit,
  ): Promise<T> {
    const parts = path.map(encodeURIComponent);
    const url = URLExt.join(this.settings.baseUrl, "gridgpu", "api", ...parts);
    const words = Object.entries(query).map(([name, value]) => [name, String(value)]);
    const search = words.length ? `?${new URLSearchParams(words).toString()}` : "";
    const response = await this.reach(url + search, init);
    const body = (await response.json().catch(() => null)) as { message?: unknown } | null;
    if (response.ok && body !== null) return body as T;
    const said = typeof body?.message === "string" ? body.message : "";
    throw new Error(said || `The server answered with ${response.status} ${response.statusText}.`);
  }

  private async reach(url: string, init: RequestInit): Promise<Response> {
    try {
      return await ServerConnection.makeRequest(url, init, this.settings);
    } catch {
      throw new Error("The server does not answer; nothing was done.");
    }
  }
}
