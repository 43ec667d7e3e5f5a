//! Forms as `multipart/form-data`, of short text fields only.

use std::collections::BTreeMap;

/// The fields of a form, by name; `mime` has the boundary.
pub fn fields(mime: &str, body: &[u8]) -> Option<BTreeMap<String, String>> {
    let boundary = mime
        .split("boundary=")
        .nth(1)?
        .split(';')
        .next()?
        .trim_matches('"');
    let text = String::from_utf8_lossy(body);
    let delimiter = format!("--{boundary}");
    let parts = text.split(&delimiter).filter_map(|part| {
        let (head, value) = part.trim_start_matches("\r\n").split_once("\r\n\r\n")?;
        let name = head.split("name=\"").nth(1)?.split('"').next()?;
        Some((
            name.to_owned(),
            value.strip_suffix("\r\n").unwrap_or(value).to_owned(),
        ))
    });
    Some(parts.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_fields() {
        let body = "--b\r\nContent-Disposition: form-data; name=\"Owner\"\r\n\r\nalice\r\n--b\r\nContent-Disposition: form-data; name=\"Name\"\r\n\r\n\r\n--b--\r\n";
        let fields = fields("multipart/form-data; boundary=b", body.as_bytes()).unwrap();
        assert_eq!(fields["Owner"], "alice");
        assert_eq!(fields["Name"], "");
        assert_eq!(fields.len(), 2);
    }
}
