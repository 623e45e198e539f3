//! Storey 6 takes any octets: as text of a code page, as text for one, as a resource of any type.

use septet_presentation::charset::{CodePage, Decoder, Encoder, Nel, Unmappable};
use septet_presentation::sniff::{self, Apache, NoSniff, Supplied};

use crate::pieces::pieces;

/// Octets of each code page to text and back, and any octets as UTF-8, however they are cut.
pub fn charset(bytes: &[u8]) {
    for page in CodePage::ALL {
        for nel in [Nel::AsIs, Nel::LineFeed] {
            let mut text = String::new();
            Decoder::new(page, nel).push(bytes, &mut text);
            let mut back = Vec::new();
            let mut encoder = Encoder::new(page, nel, Unmappable::Error);
            encoder.push(text.as_bytes(), &mut back).expect("a code page has what it says");
            encoder.finish(&mut back).expect("it is whole");
            assert_eq!(back, bytes, "{page:?} there and back");
        }
        for unmappable in [Unmappable::Error, Unmappable::Replace, Unmappable::Escape] {
            let mut whole = Vec::new();
            let mut encoder = Encoder::new(page, Nel::AsIs, unmappable);
            let ended = encoder.push(bytes, &mut whole).and_then(|()| encoder.finish(&mut whole));
            let mut cut = Vec::new();
            let mut encoder = Encoder::new(page, Nel::AsIs, unmappable);
            let mut pieces = bytes.chunks(3);
            let cut_ended =
                pieces.try_for_each(|piece| encoder.push(piece, &mut cut)).and_then(|()| encoder.finish(&mut cut));
            assert_eq!((cut_ended, cut), (ended, whole), "{page:?} {unmappable:?}: cutting changes something");
        }
    }
}

/// A resource, and what a server says of it.
pub fn sniffing(bytes: &[u8]) {
    for piece in pieces(bytes) {
        let said = ["text/html", "text/plain", "image/png", "audio/mpeg", "image/svg+xml", "*/*", "font/woff"];
        let essence = said.get(usize::from(piece.what) % 8).copied();
        let no_sniff = if piece.wait & 1 == 0 { NoSniff::Unset } else { NoSniff::Set };
        let apache = if piece.wait & 2 == 0 { Apache::Unset } else { Apache::Set };
        let found = sniff::sniff(piece.content, &Supplied { essence, no_sniff, apache });
        assert!(found.contains('/'), "{found}");
        let scripts = ["text/html", "application/pdf", "text/xml"];
        if essence == Some("text/plain") {
            assert!(!scripts.contains(&found), "text is taken for {found}");
        }
        let _ = sniff::image(piece.content, "image/png");
        let _ = sniff::media(piece.content, "video/mp4");
        let _ = sniff::font(piece.content, "font/ttf");
    }
}
