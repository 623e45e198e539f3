//! `setsockopt(2)` and `getsockopt(2)`, values as the octets that the kernel takes and gives.

use core::time::Duration;

use septet_transport::tcp::{Cork, Keepalive, Linger, Nagle, Options, Quickack, SocketOption, controller_names};

use crate::socket::{Object, Stage};
use crate::{Errno, Fd, Process};

const SOL_IP: i32 = 0;
const SOL_SOCKET: i32 = 1;
const SOL_TCP: i32 = 6;
const SOL_IPV6: i32 = 41;

const SO_REUSEADDR: i32 = 2;
const SO_TYPE: i32 = 3;
const SO_ERROR: i32 = 4;
const SO_SNDBUF: i32 = 7;
const SO_RCVBUF: i32 = 8;
const SO_KEEPALIVE: i32 = 9;
const SO_LINGER: i32 = 13;
const SO_RCVLOWAT: i32 = 18;
const SO_RCVTIMEO: i32 = 20;
const SO_SNDTIMEO: i32 = 21;
const SO_MARK: i32 = 36;
const SO_MAX_PACING_RATE: i32 = 47;
const SO_MEMINFO: i32 = 55;
const TCP_NODELAY: i32 = 1;
const TCP_MAXSEG: i32 = 2;
const TCP_CORK: i32 = 3;
const TCP_KEEPIDLE: i32 = 4;
const TCP_KEEPINTVL: i32 = 5;
const TCP_KEEPCNT: i32 = 6;
const TCP_SYNCNT: i32 = 7;
const TCP_LINGER2: i32 = 8;
const TCP_DEFER_ACCEPT: i32 = 9;
const TCP_WINDOW_CLAMP: i32 = 10;
const TCP_INFO: i32 = 11;
const TCP_QUICKACK: i32 = 12;
const TCP_CONGESTION: i32 = 13;
const TCP_USER_TIMEOUT: i32 = 18;
const TCP_NOTSENT_LOWAT: i32 = 25;
const TCP_CC_INFO: i32 = 26;
const TCP_INQ: i32 = 36;
const IP_TOS: i32 = 1;
const IPV6_TCLASS: i32 = 67;

impl Process {
    /// `setsockopt(2)`
    ///
    /// # Errors
    /// `EBADF`, `ENOPROTOOPT` where there is no such option, `EINVAL` where the value is none of its.
    pub fn set_option(&mut self, fd: Fd, level: i32, name: i32, value: &[u8]) -> Result<(), Errno> {
        if !matches!(self.object_mut(fd)?, Object::Tcp(_)) {
            return match (level, name) {
                (SOL_SOCKET | SOL_IP | SOL_IPV6, _) => Ok(()),
                _ => Err(Errno::ENOPROTOOPT),
            };
        }
        if (level, name) == (SOL_TCP, TCP_CONGESTION) {
            let text = core::str::from_utf8(value).map_err(|_| Errno::EINVAL)?.trim_end_matches('\0');
            let known = controller_names().find(|n| *n == text).ok_or(Errno::ENOENT)?;
            return self.apply(fd, SocketOption::Congestion(known), |o| o.congestion = Some(known));
        }
        let number = number(value).ok_or(Errno::EINVAL)?;
        let seconds = || Duration::from_secs(number.max(0) as u64);
        match (level, name) {
            (SOL_SOCKET, SO_SNDBUF) => self.set_buffer(fd, Way::Send, number),
            (SOL_SOCKET, SO_RCVBUF) => self.set_buffer(fd, Way::Receive, number),
            (SOL_SOCKET, SO_KEEPALIVE) => {
                let socket = self.tcp_socket(fd)?;
                socket.kept.insert((level, name), i32::from(number != 0));
                // Times that were set before stay.
                let keepalive = (number != 0).then_some(socket.keepalive_times);
                self.apply(fd, SocketOption::Keepalive(keepalive), |o| o.keepalive = keepalive)
            }
            (SOL_SOCKET, SO_LINGER) => {
                let seconds = value.get(4..8).and_then(self::number).ok_or(Errno::EINVAL)?;
                self.tcp_socket(fd)?.linger = [number, seconds];
                let linger = if number != 0 && seconds == 0 { Linger::Reset } else { Linger::Background };
                self.apply(fd, SocketOption::Linger(linger), |o| o.linger = linger)
            }
            (SOL_SOCKET, SO_RCVTIMEO | SO_SNDTIMEO) => {
                let time = timeval(value).ok_or(Errno::EINVAL)?;
                let time = (!time.is_zero()).then_some(time);
                let socket = self.tcp_socket(fd)?;
                *(if name == SO_RCVTIMEO { &mut socket.receive_timeout } else { &mut socket.send_timeout }) = time;
                Ok(())
            }
            (SOL_SOCKET, SO_RCVLOWAT) => {
                self.set_on_connection(fd, SocketOption::ReceiveLowat(number.max(1) as u32))?;
                self.keep(fd, level, name, number)
            }
            (SOL_SOCKET, SO_MAX_PACING_RATE) => {
                let rate = u64::from(number as u32);
                self.apply(fd, SocketOption::MaxPacingRate(rate), |o| o.max_pacing_rate = Some(rate))?;
                self.keep(fd, level, name, number)
            }
            (SOL_SOCKET, SO_REUSEADDR | SO_MARK) => self.keep(fd, level, name, number),
            (SOL_TCP, TCP_NODELAY) => self.set_nodelay(fd, number),
            (SOL_TCP, TCP_CORK) => self.set_cork(fd, number),
            (SOL_TCP, TCP_MAXSEG) => {
                // Linux: TCP_MIN_MSS is 88, MAX_TCP_WINDOW 32767.
                let mss = u16::try_from(number).ok().filter(|n| *n == 0 || (88..=32_767).contains(n));
                let mss = mss.ok_or(Errno::EINVAL)?;
                self.apply(fd, SocketOption::MaxSegment(mss), |o| o.max_segment = Some(mss))
            }
            (SOL_TCP, TCP_KEEPIDLE) => self.set_keepalive(fd, number, 32_767, |k| k.idle = Some(seconds())),
            (SOL_TCP, TCP_KEEPINTVL) => self.set_keepalive(fd, number, 32_767, |k| k.interval = Some(seconds())),
            (SOL_TCP, TCP_KEEPCNT) => self.set_keepalive(fd, number, 127, |k| k.count = Some(number as u8)),
            (SOL_TCP, TCP_SYNCNT) => {
                let count = u8::try_from(number).ok().filter(|n| (1..=127).contains(n)).ok_or(Errno::EINVAL)?;
                self.apply(fd, SocketOption::SynCount(count), |o| o.syn_count = Some(count))
            }
            (SOL_TCP, TCP_LINGER2) => self.apply(fd, SocketOption::Linger2(seconds()), |o| o.linger2 = Some(seconds())),
            (SOL_TCP, TCP_WINDOW_CLAMP) => {
                let clamp = number.max(0) as u32;
                self.apply(fd, SocketOption::WindowClamp(clamp), |o| o.window_clamp = Some(clamp))
            }
            (SOL_TCP, TCP_QUICKACK) => {
                let quick = if number & 1 != 0 { Quickack::On } else { Quickack::Off };
                self.set_on_connection(fd, SocketOption::Quickack(quick))
            }
            (SOL_TCP, TCP_USER_TIMEOUT) => {
                let millis = u64::try_from(number).map_err(|_| Errno::EINVAL)?;
                let timeout = (millis > 0).then(|| Duration::from_millis(millis));
                self.apply(fd, SocketOption::UserTimeout(timeout), |o| o.user_timeout = timeout)?;
                self.keep(fd, level, name, number)
            }
            (SOL_TCP, TCP_NOTSENT_LOWAT) => {
                let mark = number as u32;
                self.apply(fd, SocketOption::NotsentLowat(mark), |o| o.notsent_lowat = Some(mark))?;
                self.keep(fd, level, name, number)
            }
            (SOL_IP, IP_TOS) | (SOL_IPV6, IPV6_TCLASS) => {
                let class = number as u8;
                self.apply(fd, SocketOption::TrafficClass(class), |o| o.traffic_class = class)?;
                self.keep(fd, level, name, number)
            }
            (SOL_TCP, TCP_INQ) if !(0..=1).contains(&number) => Err(Errno::EINVAL),
            (SOL_TCP, TCP_DEFER_ACCEPT) => {
                let span = (number > 0).then(seconds);
                self.apply(fd, SocketOption::DeferAccept(span), |o| o.defer_accept = span)
            }
            (SOL_IP | SOL_IPV6 | SOL_SOCKET, _) | (SOL_TCP, TCP_INQ) => self.keep(fd, level, name, number),
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    /// `getsockopt(2)`
    ///
    /// # Errors
    /// `EBADF`, `ENOPROTOOPT` where there is no such option.
    pub fn get_option(&mut self, fd: Fd, level: i32, name: i32) -> Result<Vec<u8>, Errno> {
        let int = |number: i32| Ok(number.to_le_bytes().to_vec());
        if !matches!(self.object_mut(fd)?, Object::Tcp(_)) {
            return match (level, name) {
                (SOL_SOCKET, SO_ERROR) => int(self.take_udp_error(fd)),
                (SOL_SOCKET, SO_TYPE) => int(2),
                _ => Err(Errno::ENOPROTOOPT),
            };
        }
        let id = self.tcp_id(fd)?;
        match (level, name) {
            (SOL_SOCKET, SO_ERROR) => {
                int(id.and_then(|id| self.sockets.take_error(id).ok().flatten()).map_or(0, |e| e.errno()))
            }
            (SOL_SOCKET, SO_TYPE) => int(1),
            (SOL_SOCKET, SO_SNDBUF) => int(self.buffer(fd, Way::Send)? as i32),
            (SOL_SOCKET, SO_RCVBUF) => int(self.buffer(fd, Way::Receive)? as i32),
            (SOL_SOCKET, SO_LINGER) => Ok(self.tcp_socket(fd)?.linger.map(i32::to_le_bytes).concat()),
            (SOL_SOCKET, SO_MEMINFO) => {
                let mut values = [0u32; 9];
                values[1] = self.buffer(fd, Way::Receive)? as u32;
                values[3] = self.buffer(fd, Way::Send)? as u32;
                Ok(values.map(u32::to_le_bytes).concat())
            }
            (SOL_TCP, TCP_NODELAY) => int(self.tcp_socket(fd)?.nodelay),
            (SOL_TCP, TCP_CORK) => int(self.tcp_socket(fd)?.cork),
            (SOL_TCP, TCP_MAXSEG) => int(match id {
                Some(id) if !matches!(self.tcp_socket(fd)?.stage, Stage::Listening(_)) => {
                    self.sockets.info(id)?.tcpi_snd_mss as i32
                }
                // Linux: the bound where one is set, else the default of RFC 9293 §3.7.1.
                _ => self.options(fd)?.max_segment.unwrap_or(536).into(),
            }),
            (SOL_TCP, TCP_INFO) => Ok(crate::info_octets(&self.info(fd)?)),
            (SOL_TCP, TCP_CC_INFO) => Ok(Vec::new()),
            (SOL_TCP, TCP_CONGESTION) => {
                let name = match id {
                    Some(id) => self.sockets.info(id)?.congestion,
                    None => self.options(fd)?.congestion.unwrap_or(self.sockets.config().congestion_control),
                };
                let mut text = name.as_bytes().to_vec();
                text.resize(16, 0);
                Ok(text)
            }
            (SOL_TCP, TCP_KEEPIDLE | TCP_KEEPINTVL | TCP_KEEPCNT) => {
                let times = self.tcp_socket(fd)?.keepalive_times;
                let config = self.sockets.config();
                int(match name {
                    TCP_KEEPIDLE => times.idle.unwrap_or(config.keepalive_time).as_secs() as i32,
                    TCP_KEEPINTVL => times.interval.unwrap_or(config.keepalive_interval).as_secs() as i32,
                    _ => times.count.unwrap_or(config.keepalive_probes).into(),
                })
            }
            (SOL_TCP, TCP_DEFER_ACCEPT) => {
                let options = self.options(fd)?.clone();
                int(options.deferred_for(&self.sockets.config()).as_secs() as i32)
            }
            _ => match self.tcp_socket(fd)?.kept.get(&(level, name)) {
                Some(value) => int(*value),
                None if level == SOL_TCP && !matches!(name, TCP_NOTSENT_LOWAT | TCP_INQ) => Err(Errno::ENOPROTOOPT),
                None => int(0),
            },
        }
    }

    /// The options of a socket that has no connection, or those that its connection began with.
    fn options(&mut self, fd: Fd) -> Result<&mut Options, Errno> {
        Ok(&mut self.tcp_socket(fd)?.options)
    }

    /// Sets an option for now, where there is a connection, and for what comes.
    fn apply(&mut self, fd: Fd, option: SocketOption, keep: impl FnOnce(&mut Options)) -> Result<(), Errno> {
        keep(self.options(fd)?);
        self.set_on_connection(fd, option)
    }

    fn set_on_connection(&mut self, fd: Fd, option: SocketOption) -> Result<(), Errno> {
        if let Some(id) = self.tcp_id(fd)? {
            self.sockets.set_option(id, option)?;
        }
        Ok(())
    }

    fn keep(&mut self, fd: Fd, level: i32, name: i32, number: i32) -> Result<(), Errno> {
        self.tcp_socket(fd)?.kept.insert((level, name), number);
        Ok(())
    }

    fn set_keepalive(&mut self, fd: Fd, number: i32, most: i32, set: impl FnOnce(&mut Keepalive)) -> Result<(), Errno> {
        if !(1..=most).contains(&number) {
            return Err(Errno::EINVAL);
        }
        let socket = self.tcp_socket(fd)?;
        set(&mut socket.keepalive_times);
        let times = socket.keepalive_times;
        if socket.options.keepalive.is_none() {
            return Ok(());
        }
        self.apply(fd, SocketOption::Keepalive(Some(times)), |o| o.keepalive = Some(times))
    }

    fn set_nodelay(&mut self, fd: Fd, number: i32) -> Result<(), Errno> {
        let nagle = if number != 0 { Nagle::Off } else { Nagle::On };
        self.tcp_socket(fd)?.nodelay = i32::from(number != 0);
        self.apply(fd, SocketOption::Nagle(nagle), |o| o.nagle = nagle)
    }

    fn set_cork(&mut self, fd: Fd, number: i32) -> Result<(), Errno> {
        let cork = if number != 0 { Cork::On } else { Cork::Off };
        self.tcp_socket(fd)?.cork = i32::from(number != 0);
        self.apply(fd, SocketOption::Cork(cork), |o| o.cork = cork)
    }

    fn set_buffer(&mut self, fd: Fd, way: Way, number: i32) -> Result<(), Errno> {
        let size = number.max(0) as usize;
        match way {
            Way::Send => self.apply(fd, SocketOption::SendBuffer(size), |o| o.send_buffer = Some(size)),
            Way::Receive => self.apply(fd, SocketOption::ReceiveBuffer(size), |o| o.receive_buffer = Some(size)),
        }
    }

    fn buffer(&mut self, fd: Fd, way: Way) -> Result<usize, Errno> {
        let options = self.options(fd)?;
        // Linux doubles the value "to allow space for bookkeeping overhead" (socket(7)), with a least of 4608 and 2304.
        let (set, least) = if way == Way::Send { (options.send_buffer, 4608) } else { (options.receive_buffer, 2304) };
        let set = set.map(|size| size.saturating_mul(2).max(least));
        let config = self.sockets.config();
        let first = if way == Way::Send { config.wmem[1] } else { config.rmem[1] };
        Ok(set.unwrap_or(first))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Send,
    Receive,
}

/// A number of four octets, or of one where that is all there is.
fn number(value: &[u8]) -> Option<i32> {
    match value.first_chunk::<4>() {
        Some(four) => Some(i32::from_le_bytes(*four)),
        None => value.first().map(|one| i32::from(*one)),
    }
}

/// `struct timeval`: as the kernel has it, or, as scripts write it, two numbers of four octets.
fn timeval(value: &[u8]) -> Option<Duration> {
    if let Some(eight) = value.get(..16) {
        let part = |at: usize| eight[at..at + 8].try_into().map(u64::from_le_bytes).ok();
        return Some(Duration::from_secs(part(0)?) + Duration::from_micros(part(8)?));
    }
    Some(Duration::from_secs(number(value.get(..4)?)? as u64) + Duration::from_micros(number(value.get(4..8)?)? as u64))
}
