/** Keeps V8's young generation as small as it starts; imported before anything fills it. */
import { setFlagsFromString } from 'node:v8'

/*
 * A listing passes through as buffers that are garbage at once. A young generation that has grown
 * lets them pile up before it collects: on Node 24 a listing of 200 MB took 85 MB, with this 45;
 * the CPU time of small requests stays the same.
 */
setFlagsFromString('--semi-space-growth-factor=1')
