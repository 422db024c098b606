/** Names at the ends of curves, placed so that none covers another. */

/** A name that wants a place. */
export interface Label {
  id: string;
  text: string;
  /** The end of its curve, in pixels. */
  x: number;
  y: number;
  /** Where there is no room for all, a higher rank goes first. */
  rank: number;
}

/** Where names may stand, in pixels. */
export interface Room {
  /** Curves that end right of this are named in the column behind it. */
  right: number;
  width: number;
  top: number;
  bottom: number;
  /** How many curves cross a box. */
  crossed?(left: number, right: number, top: number, bottom: number): number;
}

/** A name with the place of the start of its base line, in pixels. */
export interface PlacedLabel {
  id: string;
  text: string;
  x: number;
  y: number;
}

/** The height of a line of text and the mean width of a character, in pixels. */
const LINE = 13;
const CHAR = 6.3;
/** From the middle of a line to its base line. */
const TO_BASE = 4;
/** Places near the end of a curve: below, above, beside, and a line further away. */
const NEAR: [dx: number, dy: number][] = [
  [3, 17],
  [3, -8],
  [6, 4],
  [3, 30],
  [3, -21],
];
/** A name that more curves cross cannot be read; the readout has it. */
const MOST_CROSSING = 3;
/** How far from its curve a name in the column may stand. */
const SHIFTS = [0, LINE / 2, -LINE / 2, LINE, -LINE, 2 * LINE, -2 * LINE];

const byRank = (a: Label, b: Label): number => b.rank - a.rank;

function overlap(a: PlacedLabel, b: PlacedLabel): boolean {
  const apart = a.x + a.text.length * CHAR < b.x || b.x + b.text.length * CHAR < a.x;
  return !apart && Math.abs(a.y - b.y) < LINE;
}

/** Names that find room in the column near their curves. A higher rank chooses first. */
function withRoom(labels: readonly Label[], room: Room): Label[] {
  const taken: number[] = [];
  const free = (y: number): boolean =>
    y >= room.top &&
    y <= room.bottom + TO_BASE &&
    taken.every((other) => Math.abs(other - y) >= LINE);
  return [...labels].sort(byRank).filter((label) => {
    // The first shift that is free is the smallest one.
    const y = SHIFTS.map((shift) => label.y + TO_BASE + shift).find(free);
    if (y !== undefined) taken.push(y);
    return y !== undefined;
  });
}

/** Names that stand below each other without a gap. */
interface Pile {
  labels: Label[];
  /** The base line of the first name, such that on the average each stands at its curve. */
  start: number;
}

const inRoom = (start: number, count: number, room: Room): number =>
  Math.max(room.top, Math.min(start, room.bottom + TO_BASE - (count - 1) * LINE));

function pile(labels: Label[], room: Room): Pile {
  const sum = labels.reduce((total, label, i) => total + label.y + TO_BASE - i * LINE, 0);
  return { labels, start: inRoom(sum / labels.length, labels.length, room) };
}

const endOf = ({ start, labels }: Pile): number => start + labels.length * LINE;

/**
 * Places names in the column right of the curves, in the order of the ends of their curves.
 *
 * Each name starts as a pile of its own. A pile that would touch the one above it is joined with
 * it, and the joined pile may in turn touch the next one above.
 */
function placeInColumn(labels: readonly Label[], room: Room): PlacedLabel[] {
  const piles: Pile[] = [];
  for (const label of withRoom(labels, room).sort((a, b) => a.y - b.y)) {
    let last = pile([label], room);
    for (let above = piles.pop(); above; above = piles.pop()) {
      if (endOf(above) <= last.start) {
        piles.push(above);
        break;
      }
      last = pile([...above.labels, ...last.labels], room);
    }
    piles.push(last);
  }
  return piles.flatMap(({ start, labels: piled }) =>
    piled.map(({ id, text }, i) => ({ id, text, x: room.right + 7, y: start + i * LINE })),
  );
}

/** Places a name near the end of its curve, where it covers no other name and the fewest curves. */
function placeNear(label: Label, room: Room, taken: readonly PlacedLabel[]): PlacedLabel | null {
  const { id, text, rank } = label;
  const width = text.length * CHAR;
  const free = NEAR.map(([dx, dy]) => ({ id, text, x: label.x + dx, y: label.y + dy })).filter(
    (place) =>
      place.x + width <= room.width &&
      place.y >= room.top &&
      place.y <= room.bottom &&
      !taken.some((other) => overlap(place, other)),
  );
  const crossing = free.map(({ x, y }) => room.crossed?.(x, x + width, y - 9, y + 2) ?? 0);
  const fewest = Math.min(...crossing);
  const best = free[crossing.indexOf(fewest)];
  // The opened curve and the best one are named in any case.
  const readable = rank > 0 || fewest <= MOST_CROSSING;
  return best && readable ? best : null;
}

/** Places the names that find room; the others are left out. */
export function placeLabels(labels: readonly Label[], room: Room): PlacedLabel[] {
  const ending = labels.filter((label) => label.x >= room.right - 2);
  const placed = placeInColumn(ending, room);
  for (const label of labels.filter((one) => !ending.includes(one)).sort(byRank)) {
    const found = placeNear(label, room, placed);
    if (found) placed.push(found);
  }
  return placed;
}
