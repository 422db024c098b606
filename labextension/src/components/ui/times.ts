/** Times. */

const two = (value: number): string => String(value).padStart(2, "0");

/** `40 s`, `24 min`, `1 h 04 min`, `2 d 3 h`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [minutes, hours] = [Math.floor(whole / 60), Math.floor(whole / 3600)];
  if (whole < 60) return `${whole} s`;
  if (minutes < 60) return `${minutes} min`;
  if (hours < 24) return `${hours} h ${two(minutes % 60)} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** For estimates: from an hour on to ten minutes. `2 h`, `1 h 10 min`. */
export function roughly(seconds: number): string {
  if (seconds < 3600 || seconds >= 86_400) return duration(seconds);
  const minutes = Math.round(seconds / 600) * 10;
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  return rest ? `${hours} h ${rest} min` : `${hours} h`;
}

export function clock(unix: number): string {
  const date = new Date(unix * 1000);
  return `${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** Age of what is shown; old or cut off, it says as of when. */
export function freshness(received: number, now: number, closed: boolean): string {
  const age = now - received;
  if (closed || age > 600) return `as of ${clock(received)}`;
  return age < 5 ? "updated now" : `updated ${duration(age)} ago`;
}
