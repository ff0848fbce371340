/** Runs `pinwarden` as systemd does that passes it a socket: as descriptor 3, named by variables. */
import { spawn } from 'node:child_process'
import type { Test } from 'tap'
import { bin, Daemon } from './daemon.js'

/** What is passed; a socket of TCP listens on a free port. */
export type Passed =
  | { readonly tcp: string }
  | { readonly unix: string }
  | { readonly file: string }
  | 'udp'
  | 'connection'
  | 'unbound'
  | 'pipe'
  | 'nothing'

/** Node cannot pass a listening socket without listening to it; Perl is on every Debian. */
const manager = `
use Socket qw(:all);
use POSIX ();
$^F = 255;
my ($kind, $where, @command) = @ARGV;
my ($s, $other);
sub tcp {
  my ($family, $address) = @_;
  socket($s, $family, SOCK_STREAM, 0) or die $!;
  setsockopt($s, IPPROTO_IPV6, IPV6_V6ONLY, 0) if $family == AF_INET6;
  my $place = inet_pton($family, $address);
  bind($s, $family == AF_INET6 ? pack_sockaddr_in6(0, $place) : pack_sockaddr_in(0, $place))
    or die $!;
  listen($s, 511) or die $!;
}
if ($kind eq 'tcp') { tcp($where =~ /:/ ? AF_INET6 : AF_INET, $where) }
if ($kind eq 'unix') {
  socket($s, AF_UNIX, SOCK_STREAM, 0) && bind($s, sockaddr_un($where)) && listen($s, 5) or die $!;
}
if ($kind eq 'udp') {
  socket($s, AF_INET, SOCK_DGRAM, 0) && bind($s, pack_sockaddr_in(0, INADDR_LOOPBACK)) or die $!;
}
if ($kind eq 'connection') {
  tcp(AF_INET, '127.0.0.1');
  socket($other, AF_INET, SOCK_STREAM, 0) && connect($other, getsockname($s)) or die $!;
  # The other end lives on elsewhere.
  POSIX::dup2(fileno($s), 9) or die $!;
  $s = $other;
}
if ($kind eq 'unbound') { socket($s, AF_INET, SOCK_STREAM, 0) or die $! }
if ($kind eq 'pipe') { pipe($s, $other) or die $! }
if ($kind eq 'file') { open($s, '<', $where) or die $! }
if ($kind eq 'nothing') { POSIX::close(3) }
elsif (fileno($s) != 3) { POSIX::dup2(fileno($s), 3) or die $! }
$ENV{LISTEN_PID} = $$;
$ENV{LISTEN_FDS} = 1;
delete $ENV{NODE_OPTIONS};
exec @command;
`

/** Killed when the test is over, if it still runs. */
export function runWithSocket(t: Test, passed: Passed, args: readonly string[]): Daemon {
  const [kind = '', where = ''] =
    typeof passed === 'string' ? [passed] : (Object.entries<string>(passed)[0] ?? [])
  const command = [kind, where, process.execPath, bin, ...args]
  const child = spawn('perl', ['-e', manager, ...command], { stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  return new Daemon(child)
}
