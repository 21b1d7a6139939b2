//! Addresses as people write them: what is wrong is named, and no part of a password ever is.

use fanfare::store::postgres::PostgresAddress;
use proptest::prelude::*;

fn parse(text: &str) -> Result<PostgresAddress, String> {
    text.parse().map_err(|error: fanfare::store::postgres::DatabaseAddressError| error.to_string())
}

/// All that anybody may see of it.
fn seen(text: &str) -> String {
    match parse(text) {
        Ok(address) => format!("{address} {address:?}"),
        Err(words) => words,
    }
}

#[test]
fn addresses_that_are_right_are_taken_and_shown_without_their_password() {
    for (text, shown) in [
        ("postgres://db/x?sslmode=disable", "postgres://db/x"),
        ("postgresql://fanfare@127.0.0.1:5433/x", "postgresql://fanfare@127.0.0.1:5433/x"),
        ("postgres://fanfare:s3cret@127.0.0.1/x", "postgres://fanfare:…@127.0.0.1/x"),
        ("postgres://fanfare:s3%40c%2Fr%3Aet%3F@127.0.0.1/x", "postgres://fanfare:…@127.0.0.1/x"),
        (
            "postgres://fanfare:s3cret@h1:5432,h2:5433/x?sslmode=disable",
            "postgres://fanfare:…@h1:5432,h2:5433/x",
        ),
        ("postgres://fanfare:s3cret@[::1]:5432/x", "postgres://fanfare:…@[::1]:5432/x"),
        ("postgres:///x?host=/run/postgresql", "postgres:///x?host=/run/postgresql"),
        ("postgres://fanfare:s3cret@%2Frun%2Fpostgresql/x", "postgres://fanfare:…@%2Frun%2Fpostgresql/x"),
        ("postgres://fanfare@127.0.0.1/x?application_name=a+b", "postgres://fanfare@127.0.0.1/x"),
        ("postgres://fanfare:@127.0.0.1/x", "postgres://fanfare:…@127.0.0.1/x"),
    ] {
        let address = parse(text).unwrap_or_else(|words| panic!("{text}: {words}"));
        assert_eq!(address.to_string(), shown, "{text}");
        assert!(format!("{address:?}").contains(shown), "{text}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (text, named) in [
        ("", "postgres://"),
        ("fanfare", "postgres://"),
        ("mysql://fanfare:s3cret@db/x", "postgres://"),
        ("host=db user=fanfare password=s3cret", "postgres://"),
        ("postgres://fanfare:s3cret@127.0.0.1:port/x", "port"),
        ("postgres://fanfare:s3cret@127.0.0.1:99999/x", "port"),
        ("postgres://fanfare:s3cret@h1:1,h2:2,h3:x/x?sslmode=disable", "port"),
        ("postgres://fanfare:s3cret@127.0.0.1/x?colour=red", "colour"),
        ("postgres://fanfare@127.0.0.1/x?password=s3cret", "before the host"),
        ("postgres://fanfare:s3cret", "port"),
        ("postgres://fanfare:s3?cret=1", "port"),
        ("postgres:///x", "host"),
        ("postgres://fanfare:s3@cret@127.0.0.1/x", "%40"),
        ("postgres://fanfare:s3?cret@127.0.0.1/x", "%40"),
        ("postgres://fan%ffare:s3cret@127.0.0.1/x", "utf-8"),
        ("postgres://fanfare:s3cret@127.0.0.1/x?sslmode=maybe", "sslmode=maybe"),
        (
            "postgres://fanfare:s3cret@127.0.0.1/x?sslmode=verify-full&sslrootcert=/no/such/file",
            "/no/such/file",
        ),
        ("postgres://fanfare:s3cret@127.0.0.1/x?sslmode=verify-full&sslrootcert=/dev/null", "/dev/null"),
        ("postgres://fanfare:s3cret@/x?sslmode=disable", "host"),
    ] {
        let words = parse(text).err().unwrap_or_else(|| panic!("{text} is taken"));
        assert!(words.contains(named), "{text}: {words}");
        for part in ["s3", "cret"] {
            assert!(!words.contains(part), "{text}: {words}");
        }
    }
}

proptest! {
    /// The password's letters occur nowhere else, so that any of them would be a part of it.
    #[test]
    fn no_part_of_a_password_is_ever_seen(
        password in "[JZ]{2}[JZ@/:?#&=%\\[\\] ]{0,8}[JZ]{2}",
        is_encoded in any::<bool>(),
        host in prop::sample::select(vec!["127.0.0.1", "h1:1,h2:2", "[::1]:5", "", "%2Frun", "db:x", "db:0"]),
        tail in prop::sample::select(vec!["", "/x", "/x?sslmode=disable", "/x?sslmode=maybe", "/x?colour=red", "?", "/%ff"]),
        by_parameter in any::<bool>(),
    ) {
        let encoded: String = form_urlencoded::byte_serialize(password.as_bytes()).collect();
        let written = if is_encoded { encoded.replace('+', "%20") } else { password };
        let text = if by_parameter {
            let joint = if tail.contains('?') { "&" } else { "?" };
            format!("postgres://fanfare@{host}{tail}{joint}password={written}")
        } else {
            format!("postgres://fanfare:{written}@{host}{tail}")
        };
        let seen = seen(&text);
        prop_assert!(!seen.contains(['J', 'Z']), "{}: {}", text, seen);
    }

    #[test]
    fn nothing_that_is_typed_is_a_panic(text in "(postgres://)?[a-z:@/?&=%\\[\\],0-9 ]{0,40}") {
        drop(seen(&text));
    }
}
