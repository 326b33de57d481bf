//! German.

use pitpet_chain::reject::Reject;

use super::{Texts, Unit, de_prose, grouped, rough};

fn count(n: u64, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{} {many}", grouped(n, ".")) }
}

fn ago(ms: u64) -> String {
    match rough(ms) {
        (0, _) => "gerade eben".to_owned(),
        (n, Unit::Minute) => format!("vor {}", count(n, "Minute", "Minuten")),
        (n, Unit::Hour) => format!("vor {}", count(n, "Stunde", "Stunden")),
        (n, Unit::Day) => format!("vor {}", count(n, "Tag", "Tagen")),
    }
}

fn about(ms: u64) -> String {
    match rough(ms) {
        (0, _) => "weniger als eine Minute".to_owned(),
        (1, Unit::Minute) => "etwa eine Minute".to_owned(),
        (1, Unit::Hour) => "etwa eine Stunde".to_owned(),
        (1, Unit::Day) => "etwa einen Tag".to_owned(),
        (n, Unit::Minute) => format!("etwa {n} Minuten"),
        (n, Unit::Hour) => format!("etwa {n} Stunden"),
        (n, Unit::Day) => format!("etwa {n} Tage"),
    }
}

const MONTHS: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];

fn parameter(name: &str) -> &'static str {
    match name {
        "ttl" => "Alter, die ein Tier ohne Ereignis lebt.",
        "age_interval_ms" => {
            "Mindestzeit zwischen zwei Altern in Millisekunden; 0: Jeder Block mit einem Ereignis, das altern lässt, ist ein Alter."
        }
        "idle_ms" => "Stille, nach der Zeit geschürft wird, in Millisekunden.",
        "living_max" => "Lebende Tiere zur gleichen Zeit.",
        "accounts_max" => "Konten mit einem Eintrag zur gleichen Zeit.",
        "visits_per_post_max" => "Streicheln, Teilen und Kommentare, die ein Beitrag fasst.",
        "open_posts_max" => "Offene Beiträge eines Tiers.",
        "birth_grant" => {
            "Leckerlis zu jeder Geburt; sie bezahlen Beiträge, und Kommentare zu denen des eigenen Tiers."
        }
        "post_cost" => "Leckerlis, die ein Beitrag kostet; sie kommen in den Napf des Tiers.",
        "seal_reward" => "Leckerlis für das erste Siegel eines Alters.",
        "time_reward" => "Leckerlis für ein Siegel, das Zeit schürft.",
        "stamp_bits" => "Führende Nullbits am Stempel jedes Ereignisses.",
        "birth_bits" => "Führende Nullbits am Stempel einer Geburt.",
        "seal_bits" => "Führende Nullbits eines Siegels.",
        "cut_permille" => "Anteil des Hauses an jedem Verkauf, in Tausendsteln.",
        _ => "",
    }
}

fn reject(reject: Reject) -> &'static str {
    match reject {
        Reject::TooLarge => "Das signierte Ereignis hat mehr Bytes, als es haben darf.",
        Reject::Malformed => "Die Bytes sind nicht die kanonische Kodierung eines Ereignisses.",
        Reject::WrongVersion => "Diese Regeln kennen die Version des Ereignisses nicht.",
        Reject::UnknownKind => "Diese Regeln kennen die Art des Ereignisses nicht.",
        Reject::WrongKennel => "Das Ereignis ist für einen anderen Kennel signiert.",
        Reject::Expired => "Die Zeit, in der das Ereignis gelten sollte, war vorbei.",
        Reject::ExpiresTooFar => "Ein Ereignis gilt höchstens 24 Stunden voraus.",
        Reject::NonceRange => {
            "Die Nonce liegt zwischen 1 und dem Ablauf; Arten, die es nur einmal gibt, haben 0."
        }
        Reject::AmountRange => "Die Menge liegt zwischen 1 und 2⁵³ − 1.",
        Reject::WeakStamp => "Der Arbeitsnachweis am Ereignis ist zu klein.",
        Reject::BadSignature => "Die Signatur stammt nicht vom Schlüssel des Ereignisses.",
        Reject::PriceRange => "Der Preis liegt zwischen 1 und 2⁵³ − 1.",
        Reject::UntilRange => "Ein Angebot endet in der Zukunft, höchstens 30 Tage voraus.",
        Reject::KeysRange => {
            "Es sind zu viele Schlüssel, einer steht doppelt, oder die Schwelle ist nicht mehr als die Hälfte der Zeugen."
        }
        Reject::UnknownOrder => {
            "Es gibt kein solches offenes Angebot: genommen, zurückgezogen, überboten oder abgelaufen."
        }
        Reject::NotMaker => "Das Angebot stammt von einem anderen Konto.",
        Reject::SelfTrade => "Niemand handelt mit sich selbst.",
        Reject::AlreadyOffered => "Das Tier ist schon angeboten.",
        Reject::BeyondSupply => "Der Preis ist höher als alle Leckerlis, die es gibt.",
        Reject::WrongPrice => "Der Preis ist nicht der des Angebots.",
        Reject::TooManyOrders => "Das Konto hat so viele offene Angebote, wie es haben darf.",
        Reject::OrdersFull => "Der Kennel hat so viele offene Angebote, wie er fasst.",
        Reject::BidTooLow => {
            "Für das Tier wird schon so oft geboten wie möglich, und dies liegt nicht über dem niedrigsten Gebot."
        }
        Reject::StaleSeal => "Das Siegel gilt nicht dem Block, mit dem das jetzige Alter begann.",
        Reject::WeakSeal => "Der Arbeitsnachweis des Siegels ist zu klein.",
        Reject::AlreadySealed => "Das jetzige Alter hat schon sein Siegel.",
        Reject::TooFewStatements => "Es stimmen weniger Zeitzeugen überein, als es müssen.",
        Reject::BadStatement => {
            "Eine Aussage ist von keinem Zeitzeugen, außer der Reihe oder falsch signiert."
        }
        Reject::NotOperator => "Das darf nur der Betreiber.",
        Reject::NotModerator => "Das darf nur die Moderation.",
        Reject::PastHeight => "Der Block dieser Höhe ist schon geschürft.",
        Reject::WrongKey => "Der Schlüssel ist nicht der jetzige des Kontos.",
        Reject::StaleNonce => "Ein Ereignis mit dieser oder einer höheren Nonce wurde schon angenommen.",
        Reject::NotHouse => "Das darf nur das Haus.",
        Reject::UnknownPet => "In diesem Kennel gibt es kein solches Tier.",
        Reject::DeadPet => "Das Tier ist gestorben.",
        Reject::UnknownPost => "In diesem Kennel gibt es keinen solchen offenen Beitrag.",
        Reject::ClosedPost => {
            "Der Beitrag ist geschlossen: Sein Tier ist gestorben, oder er ist älter als ein Leben."
        }
        Reject::NotOwner => "Das Tier gehört einem anderen Konto.",
        Reject::OwnPet => "Niemand streichelt oder teilt einen Beitrag des eigenen Tiers.",
        Reject::AlreadyDone => "Das Konto hat das bei diesem Beitrag schon getan: je einmal.",
        Reject::PostFull => "Der Beitrag fasst keine weiteren Besuche.",
        Reject::TooManyComments => "Das Konto hat diesen Beitrag so oft kommentiert, wie es darf.",
        Reject::TooManyPosts => "Das Tier hat so viele offene Beiträge, wie es haben darf.",
        Reject::HasLivingPet => {
            "Das Konto hat hier ein lebendes Tier; mehr als eines auf einmal gibt es nicht."
        }
        Reject::StaleAnchor => "Die Geburt ist nicht an einen Block der letzten Stunde gebunden.",
        Reject::KennelFull => "Der Kennel hat keinen freien Platz für ein Tier.",
        Reject::AccountsFull => "Der Kennel hat so viele Konten, wie er fasst.",
        Reject::NoTreats => "Das Konto hat nicht genug Leckerlis, die dafür ausgegeben werden dürfen.",
        Reject::UnknownAccount => "Das Konto hat in diesem Kennel keinen Eintrag.",
        Reject::SelfTransfer => "Leckerlis gibt man einem anderen Konto, nicht sich selbst.",
        Reject::NotDead => "Das Tier lebt.",
        Reject::AlreadyEnded => "Die Geschichte ist schon zu Ende.",
        Reject::NotEnded => "Die Geschichte ist noch nicht zu Ende.",
        Reject::AlreadyKept => "Das Andenken gibt es schon.",
        Reject::WrongParent => "Der genannte Block ist nicht der neueste.",
        Reject::NotIdle => "Der Kennel war nicht lange genug still.",
        Reject::SameKey => "Der neue Schlüssel ist der jetzige.",
    }
}

pub(super) static DE: Texts = Texts {
    tagline: "Tiere leben, solange sich jemand kümmert",
    skip: "Zum Inhalt springen",
    demonstration: "Eine Vorführung: Diese Tiere spielt das Programm, nicht Menschen.",
    nav_main: "Hauptmenü",
    nav_more: "Mehr",
    nav_language: "Sprache",
    nav_feed: "Tiere",
    nav_rules: "So geht’s",
    nav_ledger: "Kassenbuch",
    nav_signin: "Anmelden",
    nav_join: "Mitmachen",
    nav_me: "Mein Tier",
    nav_about: "Über PitPet",
    nav_help: "Hilfe",
    nav_privacy: "Datenschutz",
    search_label: "Tiere, Beiträge und Leute finden",
    search_placeholder: "Suchen",
    search_button: "Finden",
    ago,
    digits: |n| grouped(n, "."),
    date: |year, month, day| format!("{day}. {} {year}", MONTHS[(month as usize).clamp(1, 12) - 1]),
    about,
    life: |left, of, about| format!("{left} von {of}, im heutigen Takt {about}"),
    phase_dead: "ist gestorben",
    phase_ended: "Geschichte zu Ende",
    phase_kept: "ein Andenken erinnert",
    erased_name: "(gelöscht)",
    erased_text: "Dieser Text wurde gelöscht.",
    hidden_name: "(verborgen)",
    hidden_text: |reason| format!("Von einem Moderator verborgen: {reason}"),
    erased_reason: "(der Grund wurde gelöscht)",
    no_photo: "Das Foto wird nicht gezeigt",
    photo_of: |name| format!("Foto von {name}"),
    born: |name| format!("{name} ist da! Sag Hallo."),
    more: "Mehr",
    act_pat: "Streicheln",
    act_share: "Teilen",
    act_comment: "Kommentieren",
    act_bookmark: "Lesezeichen",
    act_gift: "Leckerlis geben",
    act_post: "Schreiben",
    act_keepsake: "Andenken machen",
    actions_of: |name| format!("Für {name}"),
    pats: |n| format!("{n} mal gestreichelt"),
    shares: |n| format!("{n} mal geteilt"),
    comments: |n| count(n, "Kommentar", "Kommentare"),
    posts: |n| count(n, "Beitrag", "Beiträge"),
    treats: |n| count(n, "Leckerli", "Leckerlis"),
    feed_title: "Wer braucht heute ein Streicheln?",
    feed_lead: "Jedes Tier hat hier nur eine Weile zu leben. Ein Beitrag, ein Streicheln, Teilen, ein Kommentar oder ein Leckerli lässt sie neu beginnen. Wird eins vergessen, endet seine Geschichte.",
    feed_description: "Ein soziales Netz für Tiere, die leben, solange sich jemand kümmert. Jedes Streicheln ist signiert und lässt sich nachprüfen.",
    feed_orders: "Reihenfolge",
    feed_newest: "Neueste",
    feed_alive: "Am lebendigsten",
    feed_ending: "Bald zu Ende",
    feed_empty_title: "Noch ist kein Tier eingezogen",
    feed_empty_text: "Das erste könnte deins sein.",
    feed_none_living: "Gerade lebt niemand. Was zu Ende ging, bleibt bewahrt; Neues kann jederzeit beginnen.",
    pet_description: |name| format!("{name} lebt auf PitPet, solange sich jemand kümmert."),
    pet_owner: "Umsorgt von",
    pet_wallet: "Im Napf",
    pet_born: "Geboren",
    pet_died: "Gestorben",
    pet_lived: "Gelebt",
    pet_posts: "Beiträge",
    pet_pats: "Gestreichelt",
    pet_shares: "Geteilt",
    pet_comments: "Kommentare",
    pet_life: "Ein Leben bisher",
    pet_life_caption: |of| {
        format!(
            "Jeder Punkt ist ein Moment, in dem sich jemand gekümmert hat und das Leben wieder bei {of} war."
        )
    },
    pet_life_newest: |n| format!("Gezeichnet sind nur die neuesten {n} Ereignisse."),
    pet_timeline: "Die ganze Geschichte",
    pet_other_lives: "Andere Geschichten aus demselben Zuhause",
    pet_end_title: "Hier endet die Geschichte",
    pet_end_text: |name, lived, closed| {
        let closed = if closed {
            " Die Geschichte ist für immer geschlossen; diese Seite bleibt, und mit ihr der Beweis für jeden Tag."
        } else {
            " Die letzte Seite wird gerade geschrieben."
        };
        format!("{name} hat {lived} gelebt.{closed}")
    },
    new_story: "Eine neue Geschichte beginnen",
    keepsake_title: "Andenken",
    keepsake_text: "Gemacht von dem Menschen, der sich gekümmert hat. Es steht für immer im Kassenbuch.",
    keepsake_none: "Noch gibt es kein Andenken.",
    someone: |id| format!("jemand ({id})"),
    ev_birth: |name| format!("{name} kam zur Welt"),
    ev_post: |name| format!("{name} schrieb"),
    ev_pat: |who, name| format!("{who} hat {name} gestreichelt"),
    ev_share: |who, name| format!("{who} hat einen Beitrag von {name} geteilt"),
    ev_comment: "hat kommentiert",
    ev_gift: |who, name, n| format!("{who} gab {name} {}", count(n, "Leckerli", "Leckerlis")),
    ev_end: |name| format!("Die Geschichte von {name} ging zu Ende"),
    ev_keepsake: "Ein Andenken wurde gemacht",
    ev_other: |name| format!("Etwas geschah mit {name}"),
    post_title: |name| format!("Ein Beitrag von {name}"),
    post_visits: "Wer vorbeikam",
    post_no_visits: "Noch niemand. Ein Streicheln wäre schön.",
    check_title: "Nicht glauben, nachprüfen",
    check_text: "Alles hier ist von dem signiert, der es tat, und steht im Kassenbuch. Dein Browser kann den Block noch einmal ausführen und jedes Ergebnis vergleichen.",
    check_button: "Selbst nachprüfen",
    check_receipt: "Das signierte Original mit seinem Beweis",
    check_block: |height| format!("Block {height}"),
    account_title: |name| name.to_owned(),
    account_description: |name| format!("Die Tiere von {name} auf PitPet."),
    account_pets: "Tiere",
    account_no_pets: "Hier hat noch kein Tier gelebt.",
    account_none_now: "Zurzeit lebt hier kein Tier.",
    account_before: "Hat früher hier gelebt",
    account_free: "Leckerlis zum Geben",
    account_granted: "Leckerlis für Beiträge",
    account_where: "in",
    account_activity: "Neueste Beiträge",
    account_id: "Konto",
    search_title: "Finden",
    search_for: |asked| format!("Gefunden zu „{asked}“"),
    search_hint: "Such nach dem Namen eines Tiers, einem Schlagwort, einem Wort aus einem Beitrag oder dem Namen eines Menschen. Drei Buchstaben vom Anfang genügen.",
    search_none: "Nichts gefunden. Versuch es mit weniger oder anderen Wörtern.",
    search_accounts: "Leute",
    search_pets: "Tiere",
    search_posts: "Beiträge",
    tag_title: |tag| format!("#{tag}"),
    tag_none: "Nichts hat dieses Schlagwort.",
    lost_title: "Hier wohnt niemand",
    lost_text: "Diese Seite gibt es nicht, oder was sie zeigte, ist ausgezogen.",
    bad_title: "Das ist nicht zu verstehen",
    bad_text: "Die Adresse dieser Seite hat einen Teil, der sich nicht lesen lässt.",
    down_title: "Macht ein Nickerchen",
    down_text: "PitPet kann gerade nicht antworten. Nichts geht verloren; versuch es gleich noch einmal.",
    offline_title: "Kein Weg zu PitPet",
    offline_text: "Dieses Gerät ist offline, oder PitPet ist nicht zu erreichen. Nichts geht verloren.",
    reload: "Noch einmal versuchen",
    back_home: "Zu den Tieren",
    ledger_title: "Das Kassenbuch",
    ledger_lead: "Jedes Ereignis ist von seinem Konto signiert, von einem Programm, das jeder ausführen kann, in einen Block geschürft, und beweisbar, ohne diesem Server zu vertrauen. Ein Kennel ist eine Kette solcher Blöcke.",
    ledger_empty: "Dieser Server hat keinen Kennel.",
    kennel: "Kennel",
    head: "Spitze",
    block: "Block",
    blocks: "Blöcke",
    height: "Höhe",
    age: "Alter",
    time: "Zeit",
    hash: "Hash",
    parent: "Vorgänger",
    rules_hash: "Regeln",
    rules_download: "das Wasm-Modul",
    checkpoint: "Prüfpunkt",
    checkpoint_key: "Schlüssel des Prüfpunkts",
    signed_note: "signierte Notiz",
    living: "Lebende Tiere",
    free_places: "Freie Plätze",
    pets_ever: "Je geborene Tiere",
    accounts: "Konten",
    minted: "Geprägte Leckerlis",
    house: "Leckerlis des Hauses",
    parameters: "Parameter",
    parameter,
    events: "Ereignisse",
    event: "Ereignis",
    no_events: "Keine Ereignisse: Dies ist der Gründungsblock.",
    deaths: "Tode am Ende dieses Blocks",
    size: "Bytes",
    older: "Ältere",
    newer: "Neuere",
    rejects_title: "Warum Ereignisse abgelehnt werden",
    rejects_lead: "Ein abgelehntes Ereignis ändert nichts und steht in keinem Block. Dies sind alle Gründe, die es gibt, jeder mit seiner festen Nummer; treffen mehrere zu, wird der niedrigste genannt.",
    number: "Nummer",
    name: "Name",
    field: "Feld",
    meaning: "Bedeutung",
    reject,
    by: "von",
    receipt: "Quittung",
    receipt_text: "Was es geändert hat, so wie es gleich danach war:",
    account: "Konto",
    pet: "Tier",
    post: "Beitrag",
    market: &super::market::DE,
    about_page: de_prose::about,
    rules_page: de_prose::rules,
    help_page: de_prose::help,
    privacy_page: de_prose::privacy,
};
