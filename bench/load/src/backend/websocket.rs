//! A WebSocket that sends messages back, for clients that keep to frames of 126 to 65,535 bytes.

use anyhow::{Result, ensure};
use bytes::{Buf, BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The answer to the key that our own client sends, the one of RFC 6455's example.
const ACCEPTED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Two bytes, a length and a mask.
const HEAD: usize = 8;

/// `buffer` has what was read after the request's head.
pub(super) async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    mut buffer: BytesMut,
) -> Result<()> {
    stream.write_all(ACCEPTED).await?;
    stream.flush().await?;
    loop {
        while let Some(frame) = echoed(&mut buffer)? {
            stream.write_all(&frame).await?;
            stream.flush().await?;
        }
        buffer.reserve(8 * 1024);
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

/// Takes a whole frame from `buffer`, and gives the one that answers it.
fn echoed(buffer: &mut BytesMut) -> Result<Option<BytesMut>> {
    let Some(&[first, second, high, low, ref mask @ ..]) = buffer.first_chunk::<HEAD>() else {
        return Ok(None);
    };
    ensure!(second == 0xfe, "not a masked frame of middling length");
    let length = u16::from_be_bytes([high, low]);
    let mask = *mask;
    if buffer.len() < HEAD + usize::from(length) {
        return Ok(None);
    }
    buffer.advance(HEAD);
    let mut payload = buffer.split_to(length.into());
    if mask != [0; 4] {
        for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
    }
    let mut frame = BytesMut::with_capacity(HEAD + payload.len());
    frame.put_slice(&[first, 126]);
    frame.put_u16(length);
    frame.put_slice(&payload);
    Ok(Some(frame))
}
