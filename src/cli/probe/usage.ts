/** What a probe takes, in the words of its help: of the command and of the single file. */

export const usage = {
  description: "on an encoder's machine: do what it does, and say what works and what does not",
  url: 'https://NAME:KEY@host:port, as the encoder has it; better left out, see below',
  cid: 'to pin and unpin; one that is pinned already is left alone',
  endpoint: `\
The endpoint stays out of the command line, which every user of the machine can read.
The probe takes it from IPFS_CLUSTER_ENDPOINT in the environment; where that is not set,
from the file .env in the current directory: run the probe in the encoder's directory.`,
}
