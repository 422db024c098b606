import { readFileSync } from "node:fs";
import js from "@eslint/js";
import tseslint from "typescript-eslint";

/**
 * The folders of labextension/src/components and which of their neighbours each of them may import.
 * A folder imports no folder beside it but `ui`, `scan` and `log`. The table and the view of a job
 * show curves all the same: widget.ts and lab/ hand them a function that makes them.
 * labextension/test/rooms.test.ts reads the same file, and refuses circles besides.
 */
const NEIGHBOURS = JSON.parse(
  readFileSync(new URL("labextension/rooms.json", import.meta.url), "utf8"),
);

/** Components work in every page, so they know neither JupyterLab nor what puts them together. */
const OUTSIDE = [
  {
    group: ["@jupyterlab/*", "@lumino/*", "**/lab/*"],
    message: "Components know nothing of JupyterLab: pass in what they need (see scan/host.ts).",
  },
  {
    group: ["../../*", "!../../wire"],
    message: "Of the files above it, a component imports only the types in wire.ts.",
  },
];

/** Ways past the functions of ui/dom.ts, through which every text goes that people read. */
const UNSEEN = [
  "AssignmentExpression[left.property.name=/^(textContent|innerText|placeholder|ariaLabel)$/]",
  "AssignmentExpression[left.property.name='title']",
  "CallExpression[callee.property.name='createTextNode']",
  "CallExpression[callee.property.name='setAttribute'][arguments.0.value=/^(title|aria-label)$/]",
].map((selector) => ({
  selector,
  message: "Use setText, setAttributes or textNode of ui/dom.ts.",
}));

function importRule(folder) {
  const forbidden = Object.keys(NEIGHBOURS).filter(
    (other) => other !== folder && !NEIGHBOURS[folder].includes(other),
  );
  const beside = {
    group: forbidden.map((other) => `**/${other}/*`),
    message: `A file of ${folder}/ may not import this folder (see labextension/rooms.json).`,
  };
  return {
    files: [`labextension/src/components/${folder}/**/*.ts`],
    rules: { "no-restricted-imports": ["error", { patterns: [beside, ...OUTSIDE] }] },
  };
}

/** Every exported function, class, interface and type has a doc comment right before it. */
const documented = {
  meta: {
    type: "suggestion",
    schema: [],
    messages: { missing: "Say in a doc comment what it is." },
  },
  create(context) {
    const isDoc = ({ type, value }) => type === "Block" && value.startsWith("*");
    const check = (node) => {
      if (node.type === "ExportNamedDeclaration" && node.declaration === null) return;
      const comment = context.sourceCode.getCommentsBefore(node).at(-1);
      if (comment === undefined || !isDoc(comment)) context.report({ node, messageId: "missing" });
    };
    return { ExportNamedDeclaration: check, ExportDefaultDeclaration: check };
  },
};

export default tseslint.config(
  { ignores: ["labextension/lib"] },
  js.configs.recommended,
  ...tseslint.configs.strict,
  {
    files: ["labextension/**/*.ts"],
    rules: {
      "no-console": "error",
      complexity: ["error", 12],
      "max-len": ["error", { code: 100 }],
      "max-lines": ["error", 350],
      "max-lines-per-function": ["error", 50],
      "no-nested-ternary": "error",
      "no-restricted-properties": [
        "error",
        { property: "innerHTML", message: "Text from jobs goes through textContent." },
        { property: "outerHTML", message: "Text from jobs goes through textContent." },
        { property: "insertAdjacentHTML", message: "Text from jobs goes through textContent." },
      ],
      "no-restricted-syntax": ["error", ...UNSEEN],
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "inline-type-imports" }],
      "@typescript-eslint/no-extraneous-class": "off",
    },
  },
  {
    files: ["labextension/src/**/*.ts"],
    plugins: { local: { rules: { documented } } },
    rules: { "local/documented": "error" },
  },
  ...Object.keys(NEIGHBOURS).map(importRule),
  {
    files: ["labextension/src/components/ui/dom.ts"],
    rules: { "no-restricted-syntax": "off" },
  },
  {
    // Made by scripts/wire_types.mjs, with the sentences that Python has.
    files: ["labextension/src/generated.ts"],
    rules: { "max-len": "off", "max-lines": "off", "local/documented": "off" },
  },
  {
    files: ["labextension/test/**/*.ts"],
    rules: {
      "no-restricted-syntax": "off",
      "max-lines-per-function": "off",
      "@typescript-eslint/no-non-null-assertion": "off",
    },
  },
);
