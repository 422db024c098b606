/** Names at the ends of curves, placed so that none covers another. Pure. */

export interface Label {
  id: string;
  text: string;
  /** The end of its curve. */
  x: number;
  y: number;
  /** The higher goes first when there is no room for all. */
  rank: number;
}

export interface Room {
  /** Curves that end right of this are named in the column behind it. */
  right: number;
  width: number;
  top: number;
  bottom: number;
  /** How many curves cross a box. */
  crossed?(left: number, right: number, top: number, bottom: number): number;
}

export interface Placed {
  id: string;
  text: string;
  x: number;
  y: number;
}

const LINE = 13;
const CHAR = 6.3;
/** Near its end: below, above, beside, and a line further. */
const NEAR: [dx: number, dy: number][] = [
  [3, 17],
  [3, -8],
  [6, 4],
  [3, 30],
  [3, -21],
];
/** A name across more curves than these is not read; the readout has it. */
const CROSSED = 3;
/** How far from its curve a name may stand. */
const SHIFTS = [0, LINE / 2, -LINE / 2, LINE, -LINE, 2 * LINE, -2 * LINE];

const byRank = (a: Label, b: Label): number => b.rank - a.rank;

function overlap(a: Placed, b: Placed): boolean {
  const apart = a.x + a.text.length * CHAR < b.x || b.x + b.text.length * CHAR < a.x;
  return !apart && Math.abs(a.y - b.y) < LINE;
}

/** Those that find room near their curves; the ones that matter choose first. */
function roomy(labels: readonly Label[], room: Room): Label[] {
  const taken: number[] = [];
  const free = (y: number): boolean =>
    y >= room.top && y <= room.bottom + 4 && taken.every((other) => Math.abs(other - y) >= LINE);
  return [...labels].sort(byRank).filter((label) => {
    const y = SHIFTS.map((shift) => label.y + 4 + shift).find(free);
    if (y !== undefined) taken.push(y);
    return y !== undefined;
  });
}

interface Pile {
  labels: Label[];
  /** Where its first label would stand if each stood at its curve, on the average. */
  start: number;
}

const fits = (start: number, count: number, room: Room): number =>
  Math.max(room.top, Math.min(start, room.bottom + 4 - (count - 1) * LINE));

function pile(labels: Label[], room: Room): Pile {
  const sum = labels.reduce((all, label, i) => all + label.y + 4 - i * LINE, 0);
  return { labels, start: fits(sum / labels.length, labels.length, room) };
}

const below = ({ start, labels }: Pile): number => start + labels.length * LINE;

/** In the order of their curves; those that would touch stand in piles around where they belong. */
function column(labels: readonly Label[], room: Room): Placed[] {
  const piles: Pile[] = [];
  for (const label of roomy(labels, room).sort((a, b) => a.y - b.y)) {
    let last = pile([label], room);
    for (let top = piles.pop(); top; top = piles.pop()) {
      if (below(top) <= last.start) {
        piles.push(top);
        break;
      }
      last = pile([...top.labels, ...last.labels], room);
    }
    piles.push(last);
  }
  return piles.flatMap(({ start, labels: ones }) =>
    ones.map(({ id, text }, i) => ({ id, text, x: room.right + 7, y: start + i * LINE })),
  );
}

/** Where it covers no other name and the fewest curves. */
function beside(label: Label, room: Room, taken: readonly Placed[]): Placed | null {
  const wide = label.text.length * CHAR;
  const free = NEAR.map(([dx, dy]) => ({ ...label, x: label.x + dx, y: label.y + dy })).filter(
    (place) =>
      place.x + wide <= room.width &&
      place.y >= room.top &&
      place.y <= room.bottom &&
      !taken.some((other) => overlap(place, other)),
  );
  const cost = ({ x, y }: Placed): number => room.crossed?.(x, x + wide, y - 9, y + 2) ?? 0;
  const costs = free.map(cost);
  const least = Math.min(...costs);
  const best = free[costs.indexOf(least)];
  return best && (label.rank > 0 || least <= CROSSED)
    ? { id: best.id, text: best.text, x: best.x, y: best.y }
    : null;
}

export function placeLabels(labels: readonly Label[], room: Room): Placed[] {
  const ending = labels.filter((label) => label.x >= room.right - 2);
  const placed = column(ending, room);
  for (const label of labels.filter((one) => !ending.includes(one)).sort(byRank)) {
    const found = beside(label, room, placed);
    if (found) placed.push(found);
  }
  return placed;
}
