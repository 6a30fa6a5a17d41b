//! The real Redis as the oracle: both servers get the same requests and must send the same bytes.
//!
//! Deliberate differences, which the scripts leave out:
//!
//! - There is one database, and the commands in `kvs::commands` are all there are; values are strings.
//! - CLIENT SETINFO is there, as from Redis 7.2 on, and has the replies of Redis 7.2.
//! - HELLO and AUTH are refused inside a transaction.
//! - A watched key that is made and deleted again before EXEC is as absent as it was, so EXEC runs;
//!   Redis lets it fail.
//! - INCRBYFLOAT of numbers with more than 38 digits, or above 10^20, is rounded to 64-bit floats,
//!   and hexadecimal floats are refused.
//! - A SCAN cursor is the place of a key in one order of all keys, so cursors and the order of SCAN,
//!   KEYS and RANDOMKEY are not those of Redis. A cursor with a sign is refused.
//! - COMMAND, COMMAND DOCS, CONFIG GET, INFO and HELP tell of this server.
//! - A SET with a deadline in the past leaves no key that DBSIZE would count.
//! - Keys and values have smaller limits, with an error of their own.

mod random;
mod scripts;
mod servers;

use std::error::Error;

use scripts::{Compare, Step};
use servers::{Client, Redis, Replica};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Both servers, and what they were asked so far.
struct Duel {
    redis: Redis,
    replica: Replica,
    clients: Vec<(Client, Client)>,
    history: Vec<String>,
}

impl Duel {
    /// `None`, and a line that says why, if there is no Redis here.
    async fn start(password: Option<&str>, is_ordered: bool) -> Option<Self> {
        match Redis::start(password).await {
            Ok(redis) => {
                let replica = Replica::new(password, is_ordered);
                Some(Self { redis, replica, clients: Vec::new(), history: Vec::new() })
            }
            Err(error) => {
                println!("skipped: redis-server cannot be started: {error}");
                None
            }
        }
    }

    /// The connections of client `index` to both.
    async fn client(&mut self, index: usize) -> Result<&mut (Client, Client)> {
        while self.clients.len() <= index {
            self.clients.push((self.redis.connect().await?, self.replica.connect()));
        }
        Ok(&mut self.clients[index])
    }

    async fn step(&mut self, step: &Step) -> Result<()> {
        let request = step.encode();
        self.history.push(format!("{}> {}", step.client, step.shown()));
        let (redis, replica) = self.client(step.client).await?;
        redis.send(&request).await?;
        replica.send(&request).await?;
        let expected = redis.receive().await?;
        let found = replica.receive().await?;
        self.compare(&step.compare, &expected, &found);
        Ok(())
    }

    fn compare(&self, compare: &Compare, expected: &[u8], found: &[u8]) {
        let same = expected.iter().zip(found).take_while(|(left, right)| left == right).count();
        let cut = |reply: &[u8]| reply[same.saturating_sub(80)..].escape_ascii().to_string();
        assert!(
            compare.holds(expected, found),
            "after\n{}\nRedis: {}\n  kvs: {}",
            self.history[self.history.len().saturating_sub(12)..].join("\n"),
            cut(expected),
            cut(found),
        );
    }

    async fn run(&mut self, steps: &[Step]) -> Result<()> {
        for step in steps {
            self.step(step).await?;
        }
        Ok(())
    }

    /// Sends `bytes` over connections of their own and compares all that comes until the end.
    async fn converse(&mut self, bytes: &[u8]) -> Result<()> {
        self.history.push(bytes.escape_ascii().to_string());
        let mut redis = self.redis.connect().await?;
        let mut replica = self.replica.connect();
        redis.send(bytes).await?;
        replica.send(bytes).await?;
        let expected = redis.receive_all().await?;
        let found = replica.receive_all().await?;
        self.compare(&Compare::Exact, &expected, &found);
        Ok(())
    }
}

/// Whether the log has an order: as with Matchmaker MultiPaxos, and as with BPaxos.
const ORDERS: [bool; 2] = [true, false];

#[tokio::test]
async fn hand_written_commands() -> Result<()> {
    for (protocol, is_ordered) in [("2", true), ("3", true), ("2", false), ("3", false)] {
        let Some(mut duel) = Duel::start(None, is_ordered).await else { return Ok(()) };
        for client in 0..2 {
            let hello = Step::shape(&format!("HELLO {protocol}")).from(client);
            duel.step(&hello).await?;
        }
        duel.run(&scripts::commands()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn conversations_to_the_end() -> Result<()> {
    for is_ordered in ORDERS {
        let Some(mut duel) = Duel::start(None, is_ordered).await else { return Ok(()) };
        for bytes in scripts::conversations() {
            duel.converse(&bytes).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_password() -> Result<()> {
    let Some(mut duel) = Duel::start(Some("secret"), true).await else { return Ok(()) };
    duel.run(&scripts::authentication()).await?;
    for bytes in
        [&b"*11\r\n"[..], b"*1\r\n$16385\r\n", b"GET a\r\nAUTH secret\r\nGET a\r\nQUIT\r\n"]
    {
        duel.converse(bytes).await?;
    }
    Ok(())
}

#[tokio::test]
async fn random_commands() -> Result<()> {
    for seed in 1..=6 {
        let Some(mut duel) = Duel::start(None, seed % 2 == 0).await else { return Ok(()) };
        duel.history.push(format!("seed {seed}"));
        let mut random = random::Random::new(seed);
        for client in 0..3 {
            let protocol = if random.below(2) == 0 { "HELLO 2" } else { "HELLO 3" };
            duel.step(&Step::shape(protocol).from(client)).await?;
        }
        for key in random::WATCHED {
            duel.step(&Step::exact(&format!("SET {key} 1"))).await?;
        }
        for _ in 0..2500 {
            let step = random::step(&mut random);
            duel.step(&step).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn random_pipelines() -> Result<()> {
    for is_ordered in ORDERS {
        let Some(mut duel) = Duel::start(None, is_ordered).await else { return Ok(()) };
        for seed in 1..=40 {
            let mut random = random::Random::new(seed);
            let mut bytes = Step::exact("FLUSHALL").encode();
            bytes.extend(Step::exact("MSET w 1 x 1").encode());
            for _ in 0..100 {
                let step = random::step(&mut random);
                if matches!(step.compare, Compare::Exact | Compare::Shuffled) {
                    bytes.extend(step.encode());
                }
            }
            bytes.extend(Step::exact("QUIT").encode());
            duel.converse(&bytes).await?;
            duel.history.clear();
        }
    }
    Ok(())
}
