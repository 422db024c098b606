/** Durations and times of day as texts. All times are Unix seconds. */

const twoDigits = (value: number): string => String(value).padStart(2, "0");

/** `40 s`, `24 min`, `1 h 04 min`, `2 d 3 h`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const minutes = Math.floor(whole / 60);
  const hours = Math.floor(whole / 3600);
  if (whole < 60) return `${whole} s`;
  if (minutes < 60) return `${minutes} min`;
  if (hours < 24) return `${hours} h ${twoDigits(minutes % 60)} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** A duration that is only estimated: from an hour on to ten minutes. `2 h`, `1 h 10 min`. */
export function roughly(seconds: number): string {
  if (seconds < 3600 || seconds >= 86_400) return duration(seconds);
  const minutes = Math.round(seconds / 600) * 10;
  const hours = Math.floor(minutes / 60);
  const rest = minutes % 60;
  return rest ? `${hours} h ${rest} min` : `${hours} h`;
}

/** `14:31`, in the time zone of the browser. */
export function clock(unix: number): string {
  const date = new Date(unix * 1000);
  return `${twoDigits(date.getHours())}:${twoDigits(date.getMinutes())}`;
}

/**
 * How old the data are that were received at a time.
 *
 * After ten minutes, or without a connection, the text says the time of day: an age would go on
 * growing while nothing new can come.
 */
export function freshness(received: number, now: number, closed: boolean): string {
  const age = now - received;
  if (closed || age > 600) return `as of ${clock(received)}`;
  return age < 5 ? "updated now" : `updated ${duration(age)} ago`;
}
