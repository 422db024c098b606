/** Who may import whom in labextension/src: no circles, and no folder that reaches into another. */
/// <reference types="node" />
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative, sep } from "node:path";
import { describe, expect, it } from "vitest";
import rooms from "../rooms.json";

const SOURCE = join(import.meta.dirname, "..", "src");

/** The folders of components/ and which of their neighbours each of them may import. */
const ALLOWED: Record<string, readonly string[]> = rooms;

const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts") || path.endsWith(".css"))
  .map((path) => path.split(sep).join("/"));

/** The names that a file imports, as they are written there. */
function namesImported(file: string): string[] {
  const text = readFileSync(join(SOURCE, file), "utf8");
  const imports = /(?:\bfrom|\bimport|@import)\s*\(?\s*"([^"]+)"/g;
  return [...text.matchAll(imports)].map((match) => match[1] ?? "");
}

/** The files of labextension/src that a file imports. */
function filesImported(file: string): string[] {
  return namesImported(file)
    .filter((name) => name.startsWith("."))
    .map((name) =>
      normalize(join(dirname(file), name))
        .split(sep)
        .join("/"),
    )
    .map((path) => (files.includes(path) ? path : `${path}.ts`));
}

const graph = new Map(files.map((file) => [file, filesImported(file)]));

/** `components/table/grid.ts` is in `components/table`, `wire.ts` is a folder of its own. */
const folderOf = (file: string): string => (file.includes("/") ? dirname(file) : file);

function folderGraph(): Map<string, string[]> {
  const folders = new Map<string, string[]>();
  for (const [file, imported] of graph) {
    const from = folderOf(file);
    const others = imported.map(folderOf).filter((to) => to !== from);
    folders.set(from, [...(folders.get(from) ?? []), ...others]);
  }
  return folders;
}

/** The first circle that a walk through the imports finds, or an empty list. */
function circle(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const finished = new Set<string>();
  const walk = (node: string, path: readonly string[]): string[] => {
    if (path.includes(node)) return [...path.slice(path.indexOf(node)), node];
    if (finished.has(node)) return [];
    for (const next of imports.get(node) ?? []) {
      const found = walk(next, [...path, node]);
      if (found.length > 0) return found;
    }
    finished.add(node);
    return [];
  };
  for (const node of imports.keys()) {
    const found = walk(node, []);
    if (found.length > 0) return found;
  }
  return [];
}

const roomOf = (file: string): string => relative("components", file).split(sep)[0] ?? "";

describe("the imports of labextension/src", () => {
  it("are all found", () => {
    const missing = [...graph].flatMap(([file, imported]) =>
      imported.filter((path) => !files.includes(path)).map((path) => `${file} -> ${path}`),
    );
    expect(missing).toEqual([]);
    expect(files.length).toBeGreaterThan(60);
  });

  it("make no circle of files", () => {
    expect(circle(graph)).toEqual([]);
  });

  it("make no circle of folders", () => {
    expect(circle(folderGraph())).toEqual([]);
  });

  it("finds a circle where there is one", () => {
    const made = new Map([
      ["a", ["b"]],
      ["b", ["c"]],
      ["c", ["b"]],
    ]);
    expect(circle(made)).toEqual(["b", "c", "b"]);
  });
});

describe("the folders of components/", () => {
  const components = files.filter((file) => file.startsWith("components/"));

  it("hold every file", () => {
    expect(components.filter((file) => !Object.hasOwn(ALLOWED, roomOf(file)))).toEqual([]);
  });

  it("import only the neighbours they may", () => {
    const forbidden = components.flatMap((file) => {
      const room = roomOf(file);
      const reached = (graph.get(file) ?? []).filter((path) => path.startsWith("components/"));
      const others = reached.filter((path) => roomOf(path) !== room);
      return others
        .filter((path) => !ALLOWED[room]?.includes(roomOf(path)))
        .map((path) => `${file} -> ${path}`);
    });
    expect(forbidden).toEqual([]);
  });

  it("import nothing of JupyterLab, and of the rest only the types of the wire", () => {
    const names = components.flatMap((file) =>
      namesImported(file)
        .filter((name) => !name.startsWith("."))
        .map((name) => `${file} -> ${name}`),
    );
    expect(names).toEqual([]);
    const outside = components.flatMap((file) =>
      (graph.get(file) ?? [])
        .filter((path) => !path.startsWith("components/") && path !== "wire.ts")
        .map((path) => `${file} -> ${path}`),
    );
    expect(outside).toEqual([]);
  });
});
