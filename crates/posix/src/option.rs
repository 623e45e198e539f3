//! `setsockopt(2)` and `getsockopt(2)`, values as the octets that the kernel takes and gives. TCP's own options come from its
//! table; here are those of sockets as such.

use core::time::Duration;

use septet_transport::tcp::{Form, Quickack, Row, SocketOption, Value, option_at};
use septet_transport::udp::Broadcast;

use crate::socket::{Object, Stage};
use crate::{Errno, Fd, Process};

pub(crate) const SOL_IP: i32 = 0;
const SOL_SOCKET: i32 = 1;
const SOL_TCP: i32 = 6;
pub(crate) const SOL_IPV6: i32 = 41;

const SO_TYPE: i32 = 3;
const SO_ERROR: i32 = 4;
const SO_BROADCAST: i32 = 6;
const SO_SNDBUF: i32 = 7;
const SO_RCVBUF: i32 = 8;
const SO_RCVTIMEO: i32 = 20;
const SO_SNDTIMEO: i32 = 21;
const SO_MEMINFO: i32 = 55;
const TCP_INFO: i32 = 11;
const TCP_QUICKACK: i32 = 12;
const TCP_CC_INFO: i32 = 26;
const TCP_INQ: i32 = 36;

impl Process {
    /// `setsockopt(2)`
    ///
    /// # Errors
    /// `EBADF`, `ENOPROTOOPT` where there is no such option, `EINVAL` where the value is none of its.
    pub fn set_option(&mut self, fd: Fd, level: i32, name: i32, value: &[u8]) -> Result<(), Errno> {
        if let (SOL_SOCKET, SO_RCVTIMEO | SO_SNDTIMEO) = (level, name) {
            let time = timeval(value).ok_or(Errno::EINVAL)?;
            let time = (!time.is_zero()).then_some(time);
            let descriptor = self.descriptors.get_mut(&fd).ok_or(Errno::EBADF)?;
            let kept = if name == SO_RCVTIMEO { &mut descriptor.receive_timeout } else { &mut descriptor.send_timeout };
            *kept = time;
            return Ok(());
        }
        if !matches!(self.object_mut(fd)?, Object::Tcp(_)) {
            if let Some(done) = self.is_datagram(fd).then(|| self.set_group_option(fd, level, name, value)).flatten() {
                return done;
            }
            return match (level, name) {
                (SOL_SOCKET, SO_BROADCAST) => {
                    let on = number(value).ok_or(Errno::EINVAL)? != 0;
                    self.set_udp_broadcast(fd, if on { Broadcast::Allowed } else { Broadcast::Denied })
                }
                (SOL_SOCKET | SOL_IP | SOL_IPV6, _) => Ok(()),
                _ => Err(Errno::ENOPROTOOPT),
            };
        }
        if let Some(row) = option_at(level, name) {
            let option = row.option(row.form.read(value).ok_or(Errno::EINVAL)?)?;
            self.tcp_socket(fd)?.options.set(option)?;
            return self.set_on_connection(fd, option);
        }
        let number = number(value).ok_or(Errno::EINVAL)?;
        match (level, name) {
            (SOL_TCP, TCP_QUICKACK) => {
                let quick = if number & 1 != 0 { Quickack::On } else { Quickack::Off };
                self.set_on_connection(fd, SocketOption::Quickack(quick))
            }
            (SOL_TCP, TCP_INQ) if !(0..=1).contains(&number) => Err(Errno::EINVAL),
            (SOL_IP | SOL_IPV6 | SOL_SOCKET, _) | (SOL_TCP, TCP_INQ) => {
                self.tcp_socket(fd)?.kept.insert((level, name), number);
                Ok(())
            }
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    /// `getsockopt(2)`
    ///
    /// # Errors
    /// `EBADF`, `ENOPROTOOPT` where there is no such option.
    pub fn get_option(&mut self, fd: Fd, level: i32, name: i32) -> Result<Vec<u8>, Errno> {
        let int = |number: i32| Ok(number.to_le_bytes().to_vec());
        if let (SOL_SOCKET, SO_RCVTIMEO | SO_SNDTIMEO) = (level, name) {
            let descriptor = self.descriptors.get(&fd).ok_or(Errno::EBADF)?;
            let kept = if name == SO_RCVTIMEO { descriptor.receive_timeout } else { descriptor.send_timeout };
            let time = kept.unwrap_or_default();
            let mut octets = time.as_secs().to_le_bytes().to_vec();
            octets.extend(u64::from(time.subsec_micros()).to_le_bytes());
            return Ok(octets);
        }
        if !matches!(self.object_mut(fd)?, Object::Tcp(_)) {
            if let Some(value) = self.is_datagram(fd).then(|| self.get_group_option(fd, level, name)).flatten() {
                return value;
            }
            return match (level, name) {
                (SOL_SOCKET, SO_ERROR) => int(self.take_udp_error(fd)),
                (SOL_SOCKET, SO_TYPE) => int(2),
                (SOL_SOCKET, SO_BROADCAST) => int(i32::from(self.udp_broadcast(fd)? == Broadcast::Allowed)),
                _ => Err(Errno::ENOPROTOOPT),
            };
        }
        if let Some(row) = option_at(level, name) {
            return self.get_from_table(fd, row);
        }
        let id = self.tcp_id(fd)?;
        match (level, name) {
            (SOL_SOCKET, SO_ERROR) => {
                int(id.and_then(|id| self.sockets.take_error(id).ok().flatten()).map_or(0, |e| e.errno()))
            }
            (SOL_SOCKET, SO_TYPE) => int(1),
            (SOL_SOCKET, SO_MEMINFO) => {
                let mut octets = vec![0; 36];
                octets[4..8].copy_from_slice(&self.get_option(fd, SOL_SOCKET, SO_RCVBUF)?);
                octets[12..16].copy_from_slice(&self.get_option(fd, SOL_SOCKET, SO_SNDBUF)?);
                Ok(octets)
            }
            (SOL_TCP, TCP_INFO) => Ok(crate::info_octets(&self.info(fd)?)),
            (SOL_TCP, TCP_CC_INFO) => Ok(Vec::new()),
            _ => match self.tcp_socket(fd)?.kept.get(&(level, name)) {
                Some(value) => int(*value),
                None if level == SOL_TCP && name != TCP_INQ => Err(Errno::ENOPROTOOPT),
                None => int(0),
            },
        }
    }

    /// What was set; of some options what has become of it.
    fn get_from_table(&mut self, fd: Fd, row: &Row) -> Result<Vec<u8>, Errno> {
        let config = self.sockets.config();
        let socket = self.tcp_socket(fd)?;
        let (options, stage, id) = (socket.options.clone(), socket.stage, socket.id());
        let set = row.get(&options);
        let is_connection = !matches!(stage, Stage::New | Stage::Listening(_));
        let value = match (row.name, id, set) {
            ("TCP_CONGESTION", Some(id), _) if is_connection => {
                Value::Controller(self.sockets.info(id)?.congestion.into())
            }
            ("TCP_MAXSEG", Some(id), _) if is_connection => Value::Number(self.sockets.info(id)?.tcpi_snd_mss.into()),
            ("TCP_DEFER_ACCEPT", ..) => Value::Span(options.deferred_for(&config)),
            // Linux doubles the value "to allow space for bookkeeping overhead" (socket(7)).
            (_, _, Some(Value::Number(bytes))) if let Form::Buffer { least } = row.form => {
                Value::Number(bytes.saturating_mul(2).max(least))
            }
            (_, _, set) => set.unwrap_or_else(|| (row.default)(&config)),
        };
        Ok(row.form.octets(value))
    }

    fn set_on_connection(&mut self, fd: Fd, option: SocketOption) -> Result<(), Errno> {
        if let Some(id) = self.tcp_id(fd)? {
            self.sockets.set_option(id, option)?;
        }
        Ok(())
    }
}

/// A number of four octets, or of one where that is all there is.
pub(crate) fn number(value: &[u8]) -> Option<i32> {
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
