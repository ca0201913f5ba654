export { configurationOf, type ConfigurationOf } from '../products/configurations/configuration-of.js'
