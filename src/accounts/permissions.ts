/** Everything an API key can be allowed to do. A route names one; a key holds some. */
export const PERMISSIONS = [
  'accounts:read', 'accounts:write', 'accounts:rename', 'api-keys:read', 'api-keys:write', 'products:read', 'products:write', 'pools:read', 'pools:write',
  'licenses:read', 'licenses:load', 'licenses:reveal', 'licenses:withdraw', 'licenses:replace', 'licenses:revoke',
  'batches:recall', 'orders:read', 'orders:write', 'orders:resend', 'orders:redirect', 'orders:refund', 'orders:cancel', 'orders:page', 'order-page-settings:read', 'order-page-settings:write', 'holds:read', 'holds:write',
  'payment-sources:read', 'payment-sources:write', 'payment-events:read', 'payment-events:replay', 'deliveries:read', 'deliveries:bounce', 'mail-settings:read', 'mail-settings:write', 'events:read', 'alerts:read', 'alerts:write',
  'marketplaces:read', 'marketplaces:write', 'requests:read', 'requests:write', 'requests:approve', 'tiers:read', 'tiers:write',
  'subscriptions:read', 'subscriptions:write', 'conversations:read', 'conversations:write', 'webhooks:read', 'webhooks:write',
  'supply-orders:read', 'supply-orders:retry', 'erasures:read', 'customers:erase',
] as const
export type Permission = typeof PERMISSIONS[number]

/** Named sets of permissions: what a key of such a caller usually needs. */
export const PRESETS = {
  operator: [
    'accounts:read', 'accounts:write', 'accounts:rename', 'api-keys:read', 'api-keys:write', 'orders:redirect', 'deliveries:bounce', 'events:read', 'marketplaces:read', 'marketplaces:write',
    'erasures:read', 'customers:erase',
  ],
  vendor: PERMISSIONS.filter((permission) => permission !== 'accounts:write'),
  'vendor-read': PERMISSIONS.filter((permission) => permission.endsWith(':read')),
  provider: [
    'accounts:read', 'products:read', 'events:read', 'marketplaces:read', 'marketplaces:write', 'requests:read', 'requests:write', 'tiers:read', 'tiers:write',
    'subscriptions:read', 'subscriptions:write', 'conversations:read', 'conversations:write', 'webhooks:read', 'webhooks:write',
    'erasures:read', 'customers:erase',
  ],
  checkout: ['products:read', 'pools:read', 'holds:read', 'holds:write', 'orders:read', 'orders:write'],
} as const satisfies Record<string, readonly Permission[]>
export type Preset = keyof typeof PRESETS
