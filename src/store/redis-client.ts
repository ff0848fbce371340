/**
 * The client for Valkey and Redis, loaded only where a store is set. It has a module of its own
 * because a bundler changes the shape of a CommonJS package that is loaded late, and of no other.
 */
export { Redis } from 'ioredis'
