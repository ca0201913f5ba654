/** A locale as it is compared: `pt-BR`, `pt_br` and `pt_BR` are one. */
export const plainLocale = (locale: string): string => locale.replaceAll('-', '_').toLowerCase()

/** Which of the entries are said to a customer of a locale, the most general first: for `zh_Hant_TW` those of `zh`, `zh_Hant` and `zh_Hant_TW`. */
export function entriesFor<T> (entries: Readonly<Record<string, T>>, wanted: string | null): Array<[locale: string, entry: T]> {
  const by_locale = new Map(Object.entries(entries).map(([locale, entry]) => [plainLocale(locale), [locale, entry] as [string, T]]))
  const parts = plainLocale(wanted ?? '').split('_')
  return parts.flatMap((_, i) => {
    const found = by_locale.get(parts.slice(0, i + 1).join('_'))
    return found === undefined ? [] : [found]
  })
}
