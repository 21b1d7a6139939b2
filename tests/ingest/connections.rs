//! Connections that hold what others need: they end, and nobody is locked out by them.

use std::net::SocketAddr;
use std::time::Duration;

use fanfare::runtime::http::server::Limits;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::harness::Place;
use crate::world::World;

const PATIENCE: Duration = Duration::from_secs(20);
const ASK: &[u8] = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";

fn few() -> Limits {
    Limits { connections: 8, connections_of_peer: 4, ..Limits::default() }
}

async fn world(place: Place, limits: Limits) -> World {
    World::within(place, json!({"triggers": {"t": {}}}), limits).await
}

/// A connection from another address of this machine, as from another peer.
async fn connect_from(world: &World, peer: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, peer], 0))).unwrap();
    socket.connect(world.address).await.unwrap()
}

async fn is_answered(stream: &mut TcpStream) -> bool {
    let asked = async {
        stream.write_all(ASK).await.ok()?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"ok") {
            answer.push(stream.read_u8().await.ok()?);
        }
        answer.starts_with(b"HTTP/1.1 200").then_some(())
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("an answer or an end").is_some()
}

/// Whether the other end ends the connection.
async fn ends(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    read.is_ok()
}

pub async fn who_sends_nothing_locks_nobody_out(place: Place) {
    let world = world(place, few()).await;
    let mut silent = Vec::new();
    for peer in [2, 3] {
        for _ in 0..4 {
            silent.push(connect_from(&world, peer).await);
        }
    }
    for peer in 4..9 {
        let mut late = connect_from(&world, peer).await;
        assert!(is_answered(&mut late).await, "peer {peer}");
        silent.push(late);
    }
    assert!(ends(&mut silent[0]).await);
    world.stop().await;
}

pub async fn one_peer_has_so_many_connections_and_takes_none_from_others(place: Place) {
    let world = world(place, few()).await;
    let mut other = connect_from(&world, 9).await;
    assert!(is_answered(&mut other).await);
    let mut own = Vec::new();
    for _ in 0..12 {
        let mut stream = connect_from(&world, 2).await;
        assert!(is_answered(&mut stream).await);
        own.push(stream);
    }
    let mut ended: FuturesUnordered<_> = own.iter_mut().map(ends).collect();
    for _ in 0..8 {
        assert_eq!(ended.next().await, Some(true));
    }
    assert!(is_answered(&mut other).await);
    world.stop().await;
}

pub async fn who_reads_no_answer_is_given_up(place: Place) {
    let limits = Limits { write_time: Duration::from_secs(5), ..Limits::default() };
    let world = world(place, limits).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut deaf = socket.connect(world.address).await.unwrap();
    // Asks for more than any buffer between the two holds, and reads none of it, until it is told to go.
    let asking = async {
        while deaf.write_all(b"GET /api/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n").await.is_ok() {
            deaf.writable().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("the connection ends");
    // Who reads slowly, but reads, gets all of it.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(32 * 1024).unwrap();
    let mut slow = socket.connect(world.address).await.unwrap();
    let asked = "GET /api/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n";
    let one = world.exchange_whole(asked.replace("host", "connection: close\r\nhost").as_bytes()).await;
    slow.write_all(asked.repeat(20).as_bytes()).await.unwrap();
    let (mut came, mut buffer) = (0, [0_u8; 1000]);
    while came < (one.len() - "connection: close\r\n".len()) * 20 {
        let read = tokio::time::timeout(PATIENCE, slow.read(&mut buffer)).await.unwrap().unwrap();
        assert!(read > 0, "the connection ended");
        came += read;
    }
    world.stop().await;
}

pub async fn so_many_requests_come_ahead_of_their_answers(place: Place) {
    let limits = Limits { requests_ahead: 10, ..Limits::default() };
    let world = world(place, limits).await;
    let mut eager = TcpStream::connect(world.address).await.unwrap();
    eager.write_all(&ASK.repeat(200)).await.unwrap();
    let mut answers = Vec::new();
    let read = tokio::time::timeout(PATIENCE, eager.read_to_end(&mut answers)).await.expect("an end");
    drop(read);
    let text = String::from_utf8_lossy(&answers).to_ascii_lowercase();
    let answered = text.matches("http/1.1 200").count();
    assert!((10..200).contains(&answered), "{answered}");
    assert!(text.contains("connection: close"), "{text}");
    // One after the other there may be any number.
    let mut patient = TcpStream::connect(world.address).await.unwrap();
    for _ in 0..50 {
        patient.write_all(ASK).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"ok") {
            answer.push(patient.read_u8().await.unwrap());
        }
    }
    world.stop().await;
}

pub async fn who_only_writes_hears_why_a_body_is_not_taken(place: Place) {
    let world = world(place, Limits::default()).await;
    let large = vec![b'x'; 24 * 1024 * 1024];
    let basic = world.basic("t");
    let (right, wrong) = (("authorization", basic.as_str()), ("authorization", "Bearer a:b"));
    let owner = crate::world::bearer("owner");
    let json = ("content-type", "application/json");
    for (path, headers, status) in [
        ("/in/default/t", vec![right, json], 413),
        ("/in/default/t", vec![wrong, json], 413),
        ("/in/default/none", vec![json], 404),
        ("/api/v1/customers", vec![("authorization", owner.as_str()), json], 413),
        ("/api/v1/events", vec![wrong, json], 401),
        ("/api/v1/nothing", vec![json], 404),
    ] {
        let answer = world.send("POST", path, &headers, &large).await;
        assert_eq!(answer.status, status, "{path} {answer:?}");
        let is_problem = answer.header("content-type") == Some("application/problem+json");
        assert!(is_problem && answer.body["detail"].is_string(), "{answer:?}");
    }
    // Without a length it is known to be too large only once that has come.
    let mut chunked = format!(
        "POST /in/default/t HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: {basic}\r\n\
         content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n",
        large.len()
    )
    .into_bytes();
    chunked.extend_from_slice(&large);
    chunked.extend_from_slice(b"\r\n0\r\n\r\n");
    assert_eq!(world.exchange(&chunked).await.status, 413);
    world.stop().await;
}

pub async fn what_is_left_of_a_body_does_not_end_its_connection(place: Place) {
    let world = world(place, Limits::default()).await;
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let body = "x".repeat(2 * 1024 * 1024);
    let head = format!("POST /in/default/none HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        answer.push(tokio::time::timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 404"), "{}", String::from_utf8_lossy(&answer));
    assert!(is_answered(&mut stream).await, "the same connection goes on");
    world.stop().await;
}
