/**
 * Makes labextension/src/generated.ts from docs/openapi.json.
 *
 * With --check nothing is written; the exit code is 1 if the file is out of date.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { compile } from "json-schema-to-typescript";
import { format, resolveConfig } from "prettier";

const TARGET = "labextension/src/generated.ts";
const { components } = JSON.parse(readFileSync("docs/openapi.json", "utf8"));

// OpenAPI keeps its schemas in another place than plain JSON Schema does.
const schemas = JSON.stringify(components.schemas);
const definitions = JSON.parse(schemas.replaceAll("#/components/schemas/", "#/definitions/"));

const options = {
  bannerComment:
    "/** Made by scripts/wire_types.mjs from docs/openapi.json; not written by hand. */",
  additionalProperties: false,
  unreachableDefinitions: true,
  format: false,
};
const schema = { title: "Wire", type: "object", additionalProperties: false, definitions };
// The generator adds a remark to each type, and a type for the whole file; both are dropped.
const text = (await compile(schema, "Wire", options))
  .replace(/\s*\*\s*\* This interface was referenced by[^]*?\*\//g, "\n */")
  .replace(/\/\*\s+\*\/\n/g, "")
  .replace(/export interface Wire \{\s*\}/, "");
const made = await format(text, { ...(await resolveConfig(TARGET)), parser: "typescript" });

if (!process.argv.includes("--check")) writeFileSync(TARGET, made);
else if (readFileSync(TARGET, "utf8") !== made) {
  process.stderr.write(`${TARGET} is out of date: run node scripts/wire_types.mjs\n`);
  process.exitCode = 1;
}
