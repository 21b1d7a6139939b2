//! Accepts connections of one listener until the sandbox stops, and waits for those under way.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections open at a time on one listener; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 4_096;

/// Serves each connection in a task of its own. `serve` ends soon after `stop` is cancelled.
pub(super) async fn accept<Serve, Served>(listener: TcpListener, stop: CancellationToken, serve: Serve)
where
    Serve: Fn(TcpStream) -> Served,
    Served: Future<Output = ()> + Send + 'static,
{
    let (tasks, places) = (TaskTracker::new(), Arc::new(Semaphore::new(CONNECTIONS_MAX)));
    loop {
        let place = Arc::clone(&places).acquire_owned();
        let (place, accepted) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = async { (place.await, listener.accept().await) } => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let served = serve(stream);
                tasks.spawn(async move {
                    let _place = place;
                    served.await;
                });
            }
            // No file descriptors left, or a peer that is already gone; the next try may do better.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
    tasks.close();
    tasks.wait().await;
}
