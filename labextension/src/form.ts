/** The anywidget entry of the parameter form. */
import type { FormLink } from "./components/form/checks";
import { Form } from "./components/form/form";
import { asChecked, asFacts, asState } from "./components/form/messages";
import type { Model } from "./widget";
import "./form.css";

function linkTo(model: Model): FormLink {
  return {
    send: (message) => model.send(message),
    subscribe(fn) {
      const message = (data: unknown): void => fn(data);
      const closed = (): void => fn(null);
      model.on("msg:custom", message);
      model.on("comm:close", closed);
      return () => {
        model.off("msg:custom", message);
        model.off("comm:close", closed);
      };
    },
  };
}

interface Widget {
  render(props: { model: Model; el: HTMLElement }): () => void;
}

/** A page that is opened anew shows the form as it was checked last. */
export default function widget(): Widget {
  return {
    render({ model, el }) {
      const facts = asFacts(model.get("facts"));
      const state = asState(model.get("state"), facts);
      const form = new Form(facts, state, asChecked(model.get("checked")), linkTo(model));
      el.append(form.element);
      return () => form.dispose();
    },
  };
}
