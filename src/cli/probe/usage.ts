/** Help texts of the probe, for the command and the single file. */

export const usage = {
  description: "test an encoder's endpoint from its machine, and say what works and what does not",
  url: 'https://NAME:KEY@host:port, the endpoint of the encoder; better omitted, see below',
  cid: 'CID to pin and unpin; the probe leaves a pinned one alone',
  endpoint: `\
The endpoint stays out of the command line, which every user of the machine can read.
The probe takes it from IPFS_CLUSTER_ENDPOINT in the environment; where that is not set,
from the file .env in the current directory: run the probe in the encoder's directory.`,
}
