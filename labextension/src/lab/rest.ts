/** Requests to the server extension. */
import { URLExt } from "@jupyterlab/coreutils";
import { ServerConnection } from "@jupyterlab/services";

/**
 * Sends requests to `gridgpu/api`. A path is given as its parts, which are encoded here.
 *
 * Each request throws an Error if it is refused, with the sentence that the server gave.
 */
export class Rest {
  constructor(readonly settings: ServerConnection.ISettings) {}

  get<T>(path: string[], query: Record<string, string | number> = {}): Promise<T> {
    return this.request<T>(path, query, { method: "GET" });
  }

  post<T>(path: string[], body: unknown): Promise<T> {
    return this.request<T>(path, {}, { method: "POST", body: JSON.stringify(body) });
  }

  put<T>(path: string[], body: unknown): Promise<T> {
    return this.request<T>(path, {}, { method: "PUT", body: JSON.stringify(body) });
  }

  /** The address of the events, with the token where the server wants it there. */
  socketUrl(): string {
    const { wsUrl, token, appendToken } = this.settings;
    const url = URLExt.join(wsUrl, "gridgpu", "api", "events");
    return appendToken && token ? `${url}?token=${encodeURIComponent(token)}` : url;
  }

  /** Whether the server answers, but does not let this page in. */
  async refuses(): Promise<boolean> {
    const url = URLExt.join(this.settings.baseUrl, "gridgpu", "api", "home");
    const response = await this.reach(url, { method: "GET" }).catch(() => null);
    return response?.status === 401 || response?.status === 403;
  }

  private async request<T>(
    path: string[],
    query: Record<string, string | number>,
    init: RequestInit,
  ): Promise<T> {
    const parts = path.map(encodeURIComponent);
    const url = URLExt.join(this.settings.baseUrl, "gridgpu", "api", ...parts);
    const pairs = Object.entries(query).map(([name, value]) => [name, String(value)]);
    const search = pairs.length ? `?${new URLSearchParams(pairs).toString()}` : "";
    const response = await this.reach(url + search, init);
    const body = (await response.json().catch(() => null)) as { message?: unknown } | null;
    if (response.ok && body !== null) return body as T;
    // A proxy in between may answer with a page of HTML, which has no message.
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
