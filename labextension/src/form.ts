/** The entry of the parameter form as an anywidget. */
import { subscribe, type Model, type ViewProps } from "./anywidget";
import type { FormLink } from "./components/form/checks";
import { Form } from "./components/form/form";
import { asCheckedForm, asFormContent, asFormState } from "./components/form/messages";
import "./form.css";

function linkTo(model: Model): FormLink {
  return {
    send: (message) => model.send(message),
    subscribe: (listener) => subscribe(model, listener, () => listener(null)),
  };
}

interface Widget {
  render(props: ViewProps): () => void;
}

/** Makes the widget. A page that is opened again shows the form as it was last checked. */
export default function widget(): Widget {
  return {
    render({ model, el }) {
      const content = asFormContent(model.get("facts"));
      const state = asFormState(model.get("state"), content);
      const checked = asCheckedForm(model.get("checked"));
      const form = new Form(content, state, checked, linkTo(model));
      el.append(form.element);
      return () => form.dispose();
    },
  };
}
