/** The menu in which a user ranks the variants of a scan by another metric, with no new run. */
import type { ObjectiveInfo } from "../../wire";
import { button, h, setAttributes, setText } from "../ui/dom";
import { t } from "../ui/i18n";
import { icon } from "../ui/icons";
import { type MenuItem, PopupMenu } from "../ui/popup";
import { clip } from "../ui/text";
import { objectivesText, objectiveText, offeredObjectives } from "./ranking";
import type { ScanStore } from "./store";

/** So many characters of a metric are shown in the button, and so many in an entry. */
const SHORT = 20;
const LONG = 80;

const same = (a: ObjectiveInfo, b: ObjectiveInfo | null | undefined): boolean =>
  a.metric === b?.metric && a.direction === b.direction && a.reduction === b.reduction;

const described = (objective: ObjectiveInfo): string => clip(objectiveText(objective), LONG);

/** The button and its menu. The choice is kept in the store, so that all views follow it. */
export class RankMenu {
  readonly element: HTMLElement;
  readonly button = button("", [h("span", {}), icon("open")], { "aria-haspopup": "menu" });
  private readonly popup: PopupMenu;

  constructor(private readonly store: ScanStore) {
    this.popup = new PopupMenu(() => this.items(), t("Rank by"), this.button);
    this.element = this.popup.element;
    this.element.classList.add("gg-rank");
    this.update();
  }

  /** Draws the button. It is there as soon as a variant has reported a metric. */
  update(): void {
    const { told, ranking, statistics } = this.store;
    this.element.hidden = told === null || statistics.metrics.size === 0;
    const text = ranking ? t("Rank by %1", clip(ranking.metric, SHORT)) : t("Rank by");
    const now = ranking ? described(ranking) : this.ownText();
    setText(this.button.firstElementChild as HTMLElement, text);
    setAttributes(this.button, { "aria-label": `${text}: ${now}`, title: `${text}: ${now}` });
    this.button.classList.toggle("gg-pressed", ranking !== null);
  }

  /** `as in the scan: maximize acc`. */
  private ownText(): string {
    const { told } = this.store;
    const text = told ? clip(objectivesText(told), LONG) : "";
    return t("as in the scan: %1", text || t("no objective"));
  }

  private items(): MenuItem[] {
    const { told, ranking, statistics } = this.store;
    if (told === null) return [];
    const own = { text: this.ownText(), checked: ranking === null, act: () => this.choose(null) };
    const offered = offeredObjectives(told, statistics.metrics.keys());
    // The scan's own objective is the first entry already.
    const others = offered.filter((one) => !same(one, told.objective));
    const items = others.map((objective): MenuItem => {
      const checked = same(objective, ranking);
      return { text: described(objective), checked, act: () => this.choose(objective) };
    });
    return [own, ...items];
  }

  private choose(objective: ObjectiveInfo | null): void {
    this.store.rankBy(objective);
    this.update();
  }
}
