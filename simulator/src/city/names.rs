//! Street names as parts of identifiers.

/// Returns the name in plain letters, words run together: `Điện Biên Phủ` becomes `DienBienPhu`.
pub(crate) fn identifier(name: &str) -> String {
    let mut out = String::new();
    let mut start = true;
    for letter in name.chars().map(plain) {
        if !letter.is_ascii_alphanumeric() {
            start = true;
        } else if start {
            out.push(letter.to_ascii_uppercase());
            start = false;
        } else {
            out.push(letter.to_ascii_lowercase());
        }
    }
    out
}

/// Returns the letter without Vietnamese marks.
fn plain(letter: char) -> char {
    const TABLE: [(&str, char); 12] = [
        ("àáảãạăằắẳẵặâầấẩẫậ", 'a'),
        ("èéẻẽẹêềếểễệ", 'e'),
        ("ìíỉĩị", 'i'),
        ("òóỏõọôồốổỗộơờớởỡợ", 'o'),
        ("ùúủũụưừứửữự", 'u'),
        ("ỳýỷỹỵ", 'y'),
        ("đ", 'd'),
        ("Đ", 'D'),
        ("ÀÁẢÃẠĂẰẮẲẴẶÂẦẤẨẪẬ", 'A'),
        ("ÈÉẺẼẸÊỀẾỂỄỆ", 'E'),
        ("ÒÓỎÕỌÔỒỐỔỖỘƠỜỚỞỠỢ", 'O'),
        ("ÙÚỦŨỤƯỪỨỬỮỰ", 'U'),
    ];
    TABLE.iter().find(|(marked, _)| marked.contains(letter)).map_or(letter, |&(_, plain)| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_street_name_becomes_plain_letters() {
        assert_eq!(identifier("Điện Biên Phủ"), "DienBienPhu");
        assert_eq!(identifier("Cao tốc Hà Nội - Hải Phòng"), "CaoTocHaNoiHaiPhong");
    }
}
