import t from 'tap'
import { exponentOf, minorUnits } from '../../src/payments/minor-units.js'

// Guarantee: decimal amounts become minor units by their digits, with as many places as ISO 4217 gives the currency; what is no amount is refused.
t.test('decimal amounts', async (t) => {
  for (const [amount, currency, minor] of [
    ['49.00', 'EUR', 4900], ['49', 'EUR', 4900], ['49.9', 'EUR', 4990], ['0.01', 'USD', 1], ['1.005', 'USD', 101], ['4.35', 'USD', 435], ['1.115', 'EUR', 112], ['0', 'EUR', 0], ['-0', 'EUR', 0],
    ['-49.00', 'EUR', -4900], ['4900', 'JPY', 4900], ['4900.00', 'JPY', 4900], ['4900.5', 'JPY', 4901], ['12.345', 'KWD', 12345], ['12.3', 'KWD', 12300], ['9007199254740.99', 'EUR', 900719925474099],
  ] as const) t.equal(minorUnits('amount', amount, currency), minor, `${amount} ${currency}`)
  for (const amount of ['', '.', '.5', '5.', '1,00', '1e3', ' 1', '+1', '1 000', 'NaN', '0x10', '--1', '999999999999999.99', '1'.repeat(16)]) {
    t.throws(() => minorUnits('order.total', amount, 'EUR'), /^order\.total: is not a decimal amount/, amount)
  }
  t.strictSame(['EUR', 'JPY', 'KWD', 'CLF', 'XYZ'].map(exponentOf), [2, 0, 3, 4, 2])
})
