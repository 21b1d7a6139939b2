//! Listens on an address; `[::]` means all of the machine, by IPv4 and by IPv6.
//!
//! Clusters give Pods addresses of either family or of both, so `[::]` is what everything listens on by default. It is
//! made to take both families whatever the system's default, and where the kernel has no IPv6 it means `0.0.0.0`.

use std::io::{Error, ErrorKind, Result};
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// How many connections wait to be accepted.
const BACKLOG: i32 = 1024;

/// Listens on an address. Must be called within a tokio runtime.
///
/// # Errors
/// The address cannot be listened on.
pub fn listen(address: SocketAddr) -> Result<TcpListener> {
    let is_everywhere = address.is_ipv6() && address.ip().is_unspecified();
    match bound(address, is_everywhere) {
        Err(error) if is_everywhere && is_without_ipv6(&error) => {
            let instead = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port());
            bound(instead, false).map_err(|_| error)
        }
        bound => bound,
    }
}

fn bound(address: SocketAddr, by_both: bool) -> Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if by_both {
        socket.set_only_v6(false)?;
    }
    // Connections of a former process that are about to end do not keep the address.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Kernels say it in several ways; what would stop IPv4 too is none of them.
fn is_without_ipv6(error: &Error) -> bool {
    !matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn everywhere_is_by_both_families() {
        let listener = listen("[::]:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        TcpStream::connect((Ipv4Addr::LOCALHOST, address.port())).await.unwrap();
        // A machine without IPv6 has the other only.
        if address.is_ipv6() {
            TcpStream::connect((Ipv6Addr::LOCALHOST, address.port())).await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_is_taken_is_refused_and_not_looked_for_elsewhere() {
        let listener = listen("[::]:0".parse().unwrap()).unwrap();
        let refused = listen(listener.local_addr().unwrap()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AddrInUse);
        assert!(listen("127.0.0.1:0".parse().unwrap()).unwrap().local_addr().unwrap().is_ipv4());
    }

    #[test]
    fn a_kernel_without_ipv6_is_known_by_what_it_says() {
        for kind in [ErrorKind::AddrNotAvailable, ErrorKind::Unsupported, ErrorKind::Other] {
            assert!(is_without_ipv6(&kind.into()), "{kind}");
        }
    }
}
