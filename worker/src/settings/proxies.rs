//! The variables of proxies, and the passwords in them.

use hf2ms_hub::Token;
use hf2ms_hub::http::AUTHORITIES;
use percent_encoding::percent_decode_str;

/// Variables that name proxies, and what is reached without them.
pub const PROXIES: [&str; 8] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
];
/// All variables about the network.
pub const NETWORK: [&str; 9] = {
    let [a, b, c, d, e, f, g, h] = PROXIES;
    [a, b, c, d, e, f, g, h, AUTHORITIES]
};
/// A shorter password of a proxy is not taken out of texts: too much else would go with it.
const SHORTEST_PASSWORD: usize = 4;

/// The password in a proxy's address, as it is written and as it is sent.
pub(super) fn passwords(proxy: &str) -> Vec<Token> {
    let login = proxy.rsplit_once('@').map_or("", |(login, _)| login);
    let login = login.split_once("://").map_or(login, |(_, login)| login);
    let Some((user, password)) = login
        .split_once(':')
        .filter(|(_, password)| password.len() >= SHORTEST_PASSWORD)
    else {
        return Vec::new();
    };
    let sent = percent_decode_str(password).decode_utf8_lossy();
    [password, &sent]
        .into_iter()
        .filter_map(|password| Token::login(user, password).ok())
        .collect()
}
