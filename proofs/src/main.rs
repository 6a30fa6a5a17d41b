use stateright::{Checker, Model};
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let instance = proofs::models::named(&args[1]).unwrap();
    let started = std::time::Instant::now();
    let secs = args.get(2).map_or(60, |s| s.parse().unwrap());
    let checker = (instance.build)(None).checker().threads(2).timeout(std::time::Duration::from_secs(secs)).spawn_dfs().join();
    println!("{} {} states, {} unique, depth {}, {:?} done {}", instance.name, checker.state_count(), checker.unique_state_count(), checker.max_depth(), started.elapsed(), checker.is_done());
    for (name, path) in checker.discoveries() {
        println!("{name}: {} steps", path.clone().into_actions().len());
        if !name.starts_with("a ") { for a in path.into_actions() { println!("   {a:?}"); } }
    }
    println!("{:?}", checker.model().check_forgetting());
}
