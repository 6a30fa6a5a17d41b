//! A state machine under observation: what it applied, in which order.

use bytes::Bytes;
use paxos::slot::Slot;
use paxos::state_machine::{Conflicts, Footprint, ForeignChunk, Position, StateMachine};
use paxos::wire::{self, Decode, Encode};

/// A command that was applied: where it stood, and the token of its call.
pub type Applied = (Slot, u32, u64);

/// Bytes of the token before each command.
const TOKEN_BYTES: usize = 8;

/// Commands that were applied: how many, and a digest of them in their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct Past {
    /// How many.
    pub count: u64,
    /// Of all of them.
    pub digest: u64,
}

impl Past {
    /// One more was applied.
    pub fn add(&mut self, (slot, index, token): Applied) {
        const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
        self.count += 1;
        for word in [slot.0, u64::from(index), token] {
            self.digest = (self.digest.rotate_left(29) ^ word).wrapping_mul(FACTOR);
        }
    }
}

/// What a snapshot says of the commands before it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Frozen {
    /// Where all replicas apply them in one order: how many, and a digest.
    Past(Past),
    /// Where replicas apply them in different orders: the tokens, in that of this one.
    Tokens(Vec<u32>),
}

/// Runs `S`, and remembers which command it applied where. Commands carry the token of their call in
/// front. A snapshot holds what was applied, and then what `S` makes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Observed<S> {
    machine: S,
    /// What it had applied in the snapshot that it was installed from.
    pub installed: Past,
    /// Every command since, in order.
    pub applied: Vec<Applied>,
    /// All commands.
    past: Past,
    /// All commands as a snapshot that is being read has them, until it has told so.
    frozen: Option<Frozen>,
    /// Whether replicas may apply the same commands in different orders. Then those of a snapshot are told
    /// one by one, without their positions.
    is_partial: bool,
    /// Mutation: every command has its effect twice.
    pub is_doubling: bool,
}

/// First byte of a chunk.
const PAST: u8 = 0;
const MACHINE: u8 = 1;
const TOKENS: u8 = 2;

impl<S> Observed<S> {
    /// A machine that has applied nothing.
    pub fn new(machine: S) -> Self {
        Self {
            machine,
            installed: Past::default(),
            applied: Vec::new(),
            past: Past::default(),
            frozen: None,
            is_partial: false,
            is_doubling: false,
        }
    }

    /// The same, for a protocol that orders commands only where they conflict.
    pub fn partially_ordered(machine: S) -> Self {
        Self { is_partial: true, ..Self::new(machine) }
    }

    /// How many of `applied` came with a snapshot, so that nothing is known of where they stood.
    pub fn installed_count(&self) -> usize {
        if self.is_partial { self.installed.count as usize } else { 0 }
    }

    /// Commands applied, those in its snapshot included.
    pub fn count(&self) -> u64 {
        self.past.count
    }

    /// The machine itself.
    pub fn machine(&self) -> &S {
        &self.machine
    }

    /// The command or query `bytes` of the call `token`.
    pub fn frame(token: u64, bytes: &Bytes) -> Bytes {
        [&token.to_le_bytes()[..], bytes].concat().into()
    }

    /// The token of a call, and its command.
    pub fn split(framed: &[u8]) -> (u64, &[u8]) {
        match framed.split_first_chunk::<TOKEN_BYTES>() {
            Some((token, command)) => (u64::from_le_bytes(*token), command),
            None => (0, &[]),
        }
    }
}

impl<S: StateMachine> StateMachine for Observed<S> {
    fn apply(&mut self, position: Position, command: &[u8]) -> Bytes {
        let (token, command) = Self::split(command);
        let mut reply = Bytes::new();
        for _ in 0..=u8::from(self.is_doubling) {
            let entry = (position.slot, position.index, token);
            self.applied.push(entry);
            self.past.add(entry);
            reply = self.machine.apply(position, command);
        }
        reply
    }

    fn query(&self, query: &[u8]) -> Option<Bytes> {
        self.machine.query(Self::split(query).1)
    }

    fn empty(&self) -> Self {
        let empty = Self::new(self.machine.empty());
        Self { is_doubling: self.is_doubling, is_partial: self.is_partial, ..empty }
    }

    fn start_snapshot(&mut self) {
        self.frozen = Some(match self.is_partial {
            true => Frozen::Tokens(self.applied.iter().map(|(.., token)| *token as u32).collect()),
            false => Frozen::Past(self.past),
        });
        self.machine.start_snapshot();
    }

    fn next_chunk(&mut self, bytes_max: usize) -> Option<Bytes> {
        let (tag, bytes) = match self.frozen.take() {
            Some(Frozen::Past(past)) => (PAST, wire::encode(&past)),
            Some(Frozen::Tokens(tokens)) => (TOKENS, wire::encode(&tokens)),
            None => (MACHINE, self.machine.next_chunk(bytes_max)?),
        };
        Some([&[tag][..], &bytes].concat().into())
    }

    fn stop_snapshot(&mut self) {
        self.frozen = None;
        self.machine.stop_snapshot();
    }

    fn install_chunk(&mut self, chunk: &Bytes) -> Result<(), ForeignChunk> {
        match chunk.first() {
            Some(&MACHINE) => self.machine.install_chunk(&chunk.slice(1..)),
            Some(&PAST) => {
                self.past = wire::decode(&chunk.slice(1..))
                    .map_err(|error| ForeignChunk(error.to_string()))?;
                self.installed = self.past;
                Ok(())
            }
            Some(&TOKENS) => {
                let tokens: Vec<u32> = wire::decode(&chunk.slice(1..))
                    .map_err(|error| ForeignChunk(error.to_string()))?;
                self.applied =
                    tokens.iter().map(|token| (Slot::ZERO, 0, u64::from(*token))).collect();
                self.applied.iter().for_each(|entry| self.past.add(*entry));
                self.installed = self.past;
                Ok(())
            }
            _ => Err(ForeignChunk(format!("{chunk:?}"))),
        }
    }
}

impl<S: Conflicts> Conflicts for Observed<S> {
    fn footprint(command: &Bytes) -> Footprint {
        S::footprint(&command.slice_ref(Self::split(command).1))
    }
}

/// What a chunk of a snapshot holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The tokens of the commands that were applied, in the order of one replica.
    Tokens(Vec<u32>),
    /// What the machine made.
    Machine(Bytes),
}

/// What a chunk holds that a machine of a protocol with a partial order has made; none for others.
pub fn piece(chunk: &Bytes) -> Option<Piece> {
    match chunk.first() {
        Some(&MACHINE) => Some(Piece::Machine(chunk.slice(1..))),
        Some(&TOKENS) => wire::decode(&chunk.slice(1..)).ok().map(Piece::Tokens),
        _ => None,
    }
}
