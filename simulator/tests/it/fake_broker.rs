//! A broker that breaks on purpose: it takes a few messages, swallows some without acknowledging them, and hangs up.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What was acknowledged, as topic and payload, and how often a connection was broken.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) acknowledged: BTreeSet<(String, String)>,
    pub(crate) broken: u32,
}

/// Serves for ever; breaks each connection after so many messages, the last few of them unacknowledged.
pub(crate) async fn serve(listener: TcpListener, break_after: u32, swallow: u32, seen: Arc<Mutex<Seen>>) {
    loop {
        let Ok((socket, _)) = listener.accept().await else { return };
        let seen = Arc::clone(&seen);
        tokio::spawn(async move {
            // The end of a connection is what these tests are about.
            drop(talk(socket, break_after, swallow, &seen).await);
        });
    }
}

async fn talk(
    mut socket: TcpStream,
    break_after: u32,
    swallow: u32,
    seen: &Mutex<Seen>,
) -> std::io::Result<()> {
    let mut taken = 0;
    loop {
        let kind = socket.read_u8().await? >> 4;
        let body = body(&mut socket).await?;
        match kind {
            1 => socket.write_all(&[0x20, 2, 0, 0]).await?,
            3 => {
                taken += 1;
                let topic_end = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                let message = (text(&body[2..topic_end]), text(&body[topic_end + 2..]));
                if taken > break_after - swallow {
                    if taken == break_after {
                        seen.lock().unwrap().broken += 1;
                        return Ok(());
                    }
                    continue;
                }
                seen.lock().unwrap().acknowledged.insert(message);
                socket.write_all(&[0x40, 2, body[topic_end], body[topic_end + 1]]).await?;
            }
            12 => socket.write_all(&[0xD0, 0]).await?,
            14 => return Ok(()),
            other => panic!("a publisher sends no packet of type {other}"),
        }
    }
}

async fn body(socket: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let (mut length, mut shift) = (0_usize, 0);
    loop {
        let byte = socket.read_u8().await?;
        length |= usize::from(byte & 0x7F) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    socket.read_exact(&mut body).await?;
    Ok(body)
}
