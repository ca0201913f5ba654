/** A moment as Connect writes it: `2026-01-31T10:15:00+00:00`. Some of its clients read that form and no other. */
export function connectTime (moment: Date): string {
  return `${moment.toISOString().slice(0, 19)}+00:00`
}
